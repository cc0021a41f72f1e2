// A Pacer that sends through libpcap, by the npm package `pcap`, on the event loop of its own process: portable, and
// coarser and slower than the native one. Far from a due time it sleeps, near it gives way to the feeding between two
// looks at the clock, and at the end it spins. The package does not say why a frame was refused, nor does it ever
// close a session for good; so the interface is asked, and a session is left behind only when its interface was
// removed and made again.
import { createHistogram } from 'node:perf_hooks';
import { Failure, errnoOf, reasonOf } from '@capfleet/shared/errors/failure';
import { largestFrame } from '../frame-limit.ts';
import type { InterfaceFacts } from '../native/binding.ts';
import { plainPacing, type PacingOptions } from '../pacing-options.ts';
import type { Pacer, LatenessSpread, PacerCounts } from '../ports/pacer.ts';
import { RingReader } from '../ring-reader.ts';
import { Slew, type Course } from '../slew.ts';
import { requireNative } from './native-pacer.ts';
import { loadNpmPcap, openPcapSender, type PcapSender } from './npm-pcap.ts';

/** Read-ahead of a sensor, bytes. */
const RING_BYTES = 8 * 1024 * 1024;
/** What setTimeout may be late by, as a rule. */
const WAKE_NS = 2_000_000;
const SPIN_NS = 100_000;
/** Without any progress. */
const PATIENCE_NS = 2_000_000;
/** Of a frame, however long they take: an interface that was down is told of once more when it is up. */
const TRIES = 3;
/** At once, before others get their turn. */
const TURN_NS = 1_000_000;
const EMPTY_PAUSE_MS = 1;
const LAPSED_PAUSE_MS = 5;
/** Then the course and the lease are looked at again. */
const LONGEST_WAIT_MS = 50;
const SHORTEST_FRAME = 14;
const EBADMSG = 74;

type Refusal = keyof PacerCounts['refused'];

/** @throws Failure `native-missing`, `pcap-missing`, `raw-socket-forbidden`, `interface-missing`, `interface-down`, `link-failed`, `realtime-forbidden`, `cpu-unavailable` */
export function openPcapPacer(name: string, { realtime, cpu }: PacingOptions = plainPacing): Pacer {
  if (realtime === true) throw new Failure('realtime-forbidden');
  if (cpu !== null) {
    throw new Failure('cpu-unavailable', {
      cpu,
      reason: 'packets through libpcap have no thread of their own',
    });
  }
  try {
    loadNpmPcap();
  } catch (error) {
    throw new Failure('pcap-missing', {}, { cause: error });
  }
  return new PcapPacer(name);
}

/** Instants are ns after its making, on CLOCK_MONOTONIC. */
class MonotonicClock {
  readonly #zero: bigint;
  readonly #zeroMs: number;

  constructor() {
    this.#zeroMs = performance.now();
    this.#zero = process.hrtime.bigint();
  }

  now(): number {
    return Math.round((performance.now() - this.#zeroMs) * 1e6);
  }

  fromMonotonic(instant: bigint): number {
    return Number(instant - this.#zero);
  }

  toMonotonic(instant: number): bigint {
    return this.#zero + BigInt(instant);
  }
}

class PcapPacer implements Pacer {
  readonly memory = new ArrayBuffer(RING_BYTES);
  readonly #bytes = Buffer.from(this.memory);
  readonly #ring = new RingReader(this.memory);
  readonly #clock = new MonotonicClock();
  readonly #link: PcapLink;
  readonly #lateness = createHistogram();
  readonly #refused = { oversize: 0, 'no-buffers': 0, 'link-down': 0, late: 0, other: 0 };
  #state: PacerCounts['state'] = 'idle';
  #failure = 0;
  #sent = 0;
  #sentBytes = 0;
  #starved = 0;
  #latest = 0;
  #lateSum = 0;
  /** Frames by the bits of their lateness in ns: below 1, 2, 4, … */
  readonly #lateBits = new Float64Array(33);
  #first: { readonly due: number; readonly sent: number } | null = null;
  #last = { due: 0, sent: 0 };
  #t0 = 0n;
  /** t0 and the latest origin record, on the clock. */
  #origin = 0;
  #ended = false;
  #starving = false;
  #visibleAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** When the timeline stood still; null: it goes on. */
  #pausedAt: number | null = null;
  #pauses = 0;
  #paused = 0;

  readonly #slew = new Slew();
  #lease = Number.POSITIVE_INFINITY;
  #granted = 0;
  #lapses = 0;
  #lapsed = false;
  /** What is due between the two was missed while there was no lease. */
  #lostFrom = 0;
  #lostUntil = 0;

  constructor(name: string) {
    this.#link = new PcapLink(name, this.#clock);
  }

  commit(head: number): number {
    if (!this.#ended) {
      if (this.#ring.peek() === 'empty') this.#visibleAt = this.#clock.now();
      this.#ring.publish(head);
    }
    return this.#ring.tail;
  }

  end(): void {
    this.#ended = true;
  }

  start(t0: bigint): void {
    if (this.#state !== 'idle') return;
    this.#state = 'running';
    this.#t0 = t0;
    this.#origin = this.#clock.fromMonotonic(t0);
    this.#work();
  }

  stop(): void {
    if (this.#state !== 'idle' && this.#state !== 'running') return;
    this.#state = 'stopped';
    this.#rest();
  }

  pause(): void {
    if (this.#state === 'running') this.#pausedAt ??= this.#clock.now();
  }

  resume(): void {
    if (this.#pausedAt === null) return;
    const pause = this.#clock.now() - this.#pausedAt;
    this.#pausedAt = null;
    this.#pauses += 1;
    this.#paused += pause;
    this.#origin += pause;
    this.#rest();
    this.#work();
  }

  steer({ since, at, shift }: Course): void {
    const clock = this.#clock;
    this.#slew.steer(clock.fromMonotonic(since), clock.fromMonotonic(at), Number(shift));
  }

  lease(until: bigint): void {
    this.#granted = this.#clock.now();
    this.#lease = this.#clock.fromMonotonic(until);
  }

  join(from: bigint): void {
    this.#lostFrom = Number.NEGATIVE_INFINITY;
    this.#lostUntil = this.#clock.fromMonotonic(from);
  }

  close(): void {
    this.stop();
  }

  counts(): PacerCounts {
    const { user, system } = process.cpuUsage();
    const instants = (at: { readonly due: number; readonly sent: number }): PacerCounts['first'] => ({
      due: this.#clock.toMonotonic(at.due),
      sent: this.#clock.toMonotonic(at.sent),
    });
    return {
      state: this.#state,
      failure: this.#failure,
      sent: this.#sent,
      sentBytes: this.#sentBytes,
      refused: { ...this.#refused },
      first: this.#first && instants(this.#first),
      last: this.#first && instants(this.#last),
      starved: this.#starved,
      pacing: {
        realtime: false,
        yielded: 0,
        margin: BigInt(SPIN_NS),
        // Of the whole process, reading included.
        cpu: BigInt(user + system) * 1000n,
        preempted: 0,
        lockedBytes: 0,
      },
      pauses: { count: this.#pauses, total: BigInt(this.#paused) },
      lapses: this.#lapses,
      departures: { asked: 0, taken: 0 },
    };
  }

  latenessQuantiles(shares: readonly number[]): bigint[] | null {
    if (this.#sent === 0) return null;
    const longest = BigInt(this.#latest);
    return shares.map((share) => {
      if (share === 0) return BigInt(this.#lateness.min - 1);
      const bound = this.#lateness.percentileBigInt(share * 100) - 1n;
      return bound < longest ? bound : longest;
    });
  }

  latenessSpread(bounds: readonly number[]): LatenessSpread {
    const upTo = bounds.map((bound) =>
      this.#lateBits.reduce((seen, count, bits) => (2 ** bits - 1 <= bound ? seen + count : seen), 0),
    );
    return { count: this.#sent, upTo, sum: this.#lateSum };
  }

  departureQuantiles(): null {
    return null;
  }

  /** Sends what is due, for one turn, and sees to it that there is a next one. */
  #work(): void {
    const turnEnds = this.#clock.now() + TURN_NS;
    while (this.#state === 'running') {
      if (this.#hasLapsed()) {
        this.#workLater(LAPSED_PAUSE_MS);
        return;
      }
      const found = this.#ring.peek();
      if (found === 'empty') {
        if (this.#ended) this.#state = 'done';
        else this.#workLater(EMPTY_PAUSE_MS);
        this.#starving = true;
        return;
      }
      if (found === 'malformed') {
        this.#state = 'failed';
        this.#failure = EBADMSG;
        return;
      }
      if (found === 'origin') {
        this.#origin = this.#clock.fromMonotonic(this.#t0 + this.#ring.origin) + this.#paused;
        this.#ring.consume();
        continue;
      }
      const asked = this.#origin + this.#ring.due;
      const due = asked + this.#slew.at(asked);
      if (this.#pausedAt !== null && due > this.#pausedAt) return;
      if (due >= this.#lostFrom && due < this.#lostUntil) {
        this.#refused.late += 1;
        this.#ring.consume();
        continue;
      }
      let now = this.#clock.now();
      if (due - now > WAKE_NS) {
        this.#workLater((due - now - WAKE_NS) / 1e6);
        return;
      }
      if (due - now > SPIN_NS || now > turnEnds) {
        this.#turn = setImmediate(() => {
          this.#work();
        });
        return;
      }
      while (now < due) now = this.#clock.now();
      this.#send(due);
      this.#ring.consume();
    }
  }

  /** With the next lease the play goes on where it should be by then. */
  #hasLapsed(): boolean {
    const now = this.#clock.now();
    const lapsed = now >= this.#lease;
    if (lapsed && !this.#lapsed) {
      this.#lapses += 1;
      this.#lostFrom = this.#lostUntil = this.#granted;
    }
    if (!lapsed && this.#lapsed) this.#lostUntil = now;
    this.#lapsed = lapsed;
    return lapsed;
  }

  #rest(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
  }

  #workLater(milliseconds: number): void {
    this.#timer = setTimeout(
      () => {
        this.#work();
      },
      Math.min(milliseconds, LONGEST_WAIT_MS),
    );
  }

  #send(due: number): void {
    const { start, length } = this.#ring;
    if (this.#starving) {
      if (due < this.#visibleAt) this.#starved += 1;
      else this.#starving = false;
    }
    const refusal = this.#link.send(this.#bytes, start, length);
    if (refusal !== null) {
      this.#refused[refusal] += 1;
      return;
    }
    const sent = this.#clock.now();
    this.#last = { due, sent };
    this.#first ??= this.#last;
    this.#sent += 1;
    this.#sentBytes += length;
    const late = Math.max(0, sent - due);
    this.#latest = Math.max(this.#latest, late);
    this.#lateSum += late;
    const bits = 32 - Math.clz32(Math.min(late, 2 ** 32 - 1));
    this.#lateBits[bits] = (this.#lateBits[bits] ?? 0) + 1;
    // It counts from 1 on.
    this.#lateness.record(late + 1);
  }
}

/** The session that sends, and the interface behind it. */
class PcapLink {
  readonly #name: string;
  readonly #clock: MonotonicClock;
  readonly #native = requireNative();
  #sender: PcapSender;
  #index: number;

  constructor(name: string, clock: MonotonicClock) {
    this.#name = name;
    this.#clock = clock;
    const facts = this.#facts();
    const fields = { interface: name, known: '' };
    if (!facts) throw new Failure('link-failed', { ...fields, reason: 'there is no such interface' });
    if (!facts.up) throw new Failure('interface-down', fields);
    this.#index = facts.index;
    try {
      this.#sender = openPcapSender(this.#name);
    } catch (error) {
      const reason = reasonOf(error);
      const code = /permi|CAP_NET_RAW/i.test(reason) ? 'raw-socket-forbidden' : 'link-failed';
      throw new Failure(code, { ...fields, reason }, { cause: error });
    }
  }

  /** Null where it was sent. */
  send(bytes: Buffer, start: number, length: number): Refusal | null {
    if (length < SHORTEST_FRAME) return 'other';
    const frame = bytes.subarray(start, start + length);
    let giveUp = 0;
    for (let tries = 1; ; tries += 1) {
      try {
        this.#sender.inject(frame);
        return null;
      } catch {
        const facts = this.#facts();
        if (!facts?.up) return 'link-down';
        if (length > largestFrame(facts.mtu, bytes, start, length)) return 'oversize';
        if (facts.index !== this.#index && !this.#openAgain(facts.index)) return 'link-down';
      }
      const now = this.#clock.now();
      if (giveUp === 0) giveUp = now + PATIENCE_NS;
      if (now > giveUp && tries >= TRIES) return 'no-buffers';
    }
  }

  #openAgain(index: number): boolean {
    try {
      this.#sender = openPcapSender(this.#name);
      this.#index = index;
      return true;
    } catch {
      return false;
    }
  }

  #facts(): InterfaceFacts | null {
    try {
      return this.#native.interfaceFacts(this.#name);
    } catch (error) {
      if (errnoOf(error) === 'ENODEV') return null;
      throw error;
    }
  }
}
