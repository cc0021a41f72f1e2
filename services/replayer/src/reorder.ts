// Puts the packets of a capture in order whose stamps run backwards by less than a window. Packets are held back until
// one is read that is later by more than the window; who comes later than that goes out right away, as it would
// without. What all captures of a sensor hold back together is bounded in bytes: beyond it the earliest goes out too
// soon, perhaps.
import type { CaptureInfo, PacketReader } from '@capfleet/shared/capture/packet-reader';
import type { CaptureWarning } from '@capfleet/shared/capture/warning';
import { Heap } from './heap.ts';
import type { MergeReader } from './merge.ts';

/** Of the packets held back, with what it takes to hold them. */
const MOST_HELD_BYTES = 32 * 1024 * 1024;
/** What holding a packet takes beside its bytes, as measured. */
const HELD_OVERHEAD = 256;
/** Places for packets come in powers of two, from this one on. */
const SMALLEST_PLACE_BITS = 7;

interface Held {
  seconds: number;
  nanos: number;
  timed: boolean;
  linkType: number;
  capturedLength: number;
  wireLength: number;
  /** Place in the capture. */
  order: number;
  /** Whether its stamp runs backwards, and it goes out where it belongs. */
  reordered: boolean;
  readonly bytes: Buffer;
}

/** What the captures of a sensor share: the room for what is held back. */
export class HeldPackets {
  readonly #most: number;
  /** Places that are free, by size. */
  #free: Held[][] = [];
  #freeBytes = 0;
  #heldBytes = 0;

  constructor(most = MOST_HELD_BYTES) {
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#heldBytes >= this.#most;
  }

  /** A place for so many bytes. */
  take(length: number): Held {
    const size = placeOf(length);
    const cost = 2 ** size + HELD_OVERHEAD;
    this.#heldBytes += cost;
    const free = this.#free[size]?.pop();
    if (free) {
      this.#freeBytes -= cost;
      return free;
    }
    // Places of sizes that are not asked for any more.
    if (this.#heldBytes + this.#freeBytes > this.#most) {
      this.#free = [];
      this.#freeBytes = 0;
    }
    return {
      seconds: 0,
      nanos: 0,
      timed: true,
      linkType: 0,
      capturedLength: 0,
      wireLength: 0,
      order: 0,
      reordered: false,
      bytes: Buffer.allocUnsafeSlow(2 ** size),
    };
  }

  giveBack(held: Held): void {
    const size = placeOf(held.bytes.length);
    const cost = 2 ** size + HELD_OVERHEAD;
    this.#heldBytes -= cost;
    this.#freeBytes += cost;
    (this.#free[size] ??= []).push(held);
  }
}

function placeOf(length: number): number {
  return Math.max(SMALLEST_PLACE_BITS, 32 - Math.clz32(Math.max(1, length) - 1));
}

export class ReorderingReader implements MergeReader {
  seconds = 0;
  nanos = 0;
  timed = true;
  linkType = 0;
  capturedLength = 0;
  wireLength = 0;
  /** Whether the current packet was put in order. */
  reordered = false;
  window: Buffer = Buffer.alloc(0);
  readonly dataStart = 0;

  readonly #inner: PacketReader;
  readonly #windowNanos: number;
  readonly #shared: HeldPackets;
  /** By time, then by place in the capture. */
  readonly #heap = new Heap<Held>(comesBefore);
  #current: Held | null = null;
  #order = 0;
  /** The latest stamp that was read. */
  #latestSeconds = 0;
  #latestNanos = 0;
  /** The latest stamp that was given. */
  #givenSeconds = 0;
  #givenNanos = 0;
  #ended = false;
  #failure: { readonly thrown: unknown } | null = null;

  /** @param windowNanos how far a stamp may run backwards, ns */
  constructor(inner: PacketReader, windowNanos: number, shared: HeldPackets) {
    this.#inner = inner;
    this.#windowNanos = windowNanos;
    this.#shared = shared;
  }

  get info(): CaptureInfo {
    return this.#inner.info;
  }

  get consumed(): number {
    return this.#inner.consumed;
  }

  advance(): boolean {
    if (this.#current) this.#shared.giveBack(this.#current);
    this.#current = null;
    for (;;) {
      const top = this.#heap.first;
      if (top && (this.#ended || this.#shared.isFull || this.#isSettled(top))) {
        this.#heap.pop();
        this.#give(top);
        return true;
      }
      if (this.#ended || !this.#inner.advance()) return false;
      this.#hold();
    }
  }

  /** What is held back comes before a failure of reading. */
  async fill(): Promise<boolean> {
    if (!this.#ended) {
      try {
        if (await this.#inner.fill()) return true;
      } catch (thrown) {
        this.#failure = { thrown };
      }
      this.#ended = true;
    }
    if (this.#heap.first) return true;
    if (this.#failure) throw this.#failure.thrown;
    return false;
  }

  warnings(): CaptureWarning[] {
    return this.#inner.warnings();
  }

  close(): Promise<void> {
    for (const held of this.#heap.items) this.#shared.giveBack(held);
    this.#heap.clear();
    if (this.#current) this.#shared.giveBack(this.#current);
    this.#current = null;
    this.#ended = true;
    return this.#inner.close();
  }

  /** Whether nothing that is still to come belongs before the packet. */
  #isSettled({ seconds, nanos }: Held): boolean {
    return (this.#latestSeconds - seconds) * 1e9 + (this.#latestNanos - nanos) > this.#windowNanos;
  }

  /** A packet without a stamp has that of the packet before it, and comes right after it. */
  #hold(): void {
    const { seconds, nanos, timed, linkType, capturedLength, wireLength, window, dataStart } = this.#inner;
    const held = this.#shared.take(capturedLength);
    held.seconds = seconds;
    held.nanos = nanos;
    held.timed = timed;
    held.linkType = linkType;
    held.capturedLength = capturedLength;
    held.wireLength = wireLength;
    held.order = this.#order++;
    window.copy(held.bytes, 0, dataStart, dataStart + capturedLength);
    const isLatest = !isEarlier(seconds, nanos, this.#latestSeconds, this.#latestNanos);
    held.reordered = timed && !isLatest && !isEarlier(seconds, nanos, this.#givenSeconds, this.#givenNanos);
    if (isLatest) {
      this.#latestSeconds = seconds;
      this.#latestNanos = nanos;
    }
    this.#heap.push(held);
  }

  #give(held: Held): void {
    this.#current = held;
    if (!isEarlier(held.seconds, held.nanos, this.#givenSeconds, this.#givenNanos)) {
      this.#givenSeconds = held.seconds;
      this.#givenNanos = held.nanos;
    }
    this.seconds = held.seconds;
    this.nanos = held.nanos;
    this.timed = held.timed;
    this.reordered = held.reordered;
    this.linkType = held.linkType;
    this.capturedLength = held.capturedLength;
    this.wireLength = held.wireLength;
    this.window = held.bytes;
  }
}

function isEarlier(seconds: number, nanos: number, thanSeconds: number, thanNanos: number): boolean {
  return seconds < thanSeconds || (seconds === thanSeconds && nanos < thanNanos);
}

function comesBefore(a: Held, b: Held): boolean {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds;
  if (a.nanos !== b.nanos) return a.nanos < b.nanos;
  return a.order < b.order;
}
