// Walks the blocks of a pcapng capture (draft-ietf-opsawg-pcapng, 3): a type, a length, a body and the length again.
// It stops at those that hold packets; sections and interfaces are taken in on the way, all other blocks are passed
// over unread and never held. What is damaged ends the walk, with a warning that tells the place.
import type { CaptureInfo } from './packet-reader.ts';
import { InterfaceTable, MAX_INTERFACES, readInterface, readOptions } from './pcapng-interfaces.ts';
import { WarningLog, type WarningKind } from './warning.ts';
import { endOf, type CaptureWindow } from './window.ts';

export const blockTypes = {
  section: 0x0a0d0d0a,
  interface: 1,
  obsoletePacket: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;

/** Type and length. */
const BLOCK_HEADER_BYTES = 8;
/** The length again. */
export const BLOCK_TRAILER_BYTES = 4;
const SMALLEST_SECTION = 28;
/** Blocks that are read as a whole may have this much beside a packet: options, which are short texts and numbers. */
const MOST_OPTIONS_BYTES = 1024 * 1024;

export class BlockWalker {
  readonly window: CaptureWindow;
  readonly interfaces = new InterfaceTable();
  readonly warnings = new WarningLog();
  /** Byte order of the current section. */
  little = false;
  /** Byte order of all sections so far; null before the first. */
  byteOrder: CaptureInfo['byteOrder'] | null = null;

  /** Bytes needed from the window's start on before the walk can go further. */
  #wanted = BLOCK_HEADER_BYTES;
  /** The length and place of a block whose body is being passed over; 0 where there is none. */
  #passing = 0;
  #passingAt = 0;
  #over = false;

  /** @param window at the capture's start */
  constructor(window: CaptureWindow) {
    this.window = window;
  }

  /** Goes on to the next packet's block. True: it begins at the window's start, lies there whole and ends soundly. */
  toPacket(): boolean {
    const { window } = this;
    while (!this.#over) {
      if (this.#passing > 0 && !this.#finishPassing()) return false;
      const { start, view } = window;
      const available = window.end - start;
      if (available < BLOCK_HEADER_BYTES) return this.#want(BLOCK_HEADER_BYTES);
      const type = view.getUint32(start, this.little);
      if (type === blockTypes.section) {
        if (!this.#enterSection(available)) return false;
        continue;
      }
      const length = view.getUint32(start + 4, this.little);
      if (length < BLOCK_HEADER_BYTES + BLOCK_TRAILER_BYTES || length % 4 !== 0)
        return this.break('block-damaged', `a block claims a length of ${String(length)} bytes`);
      if (
        type === blockTypes.enhancedPacket ||
        type === blockTypes.simplePacket ||
        type === blockTypes.obsoletePacket
      ) {
        return available < length ? this.#wantPacket(length) : this.#endsAs(start, length);
      }
      if (type === blockTypes.interface) {
        if (!this.#addInterface(length, available)) return false;
      } else {
        this.#passing = length;
        this.#passingAt = window.offsetOf(start);
        window.skip(length - BLOCK_TRAILER_BYTES);
      }
    }
    return false;
  }

  /** Brings more bytes into the window. False: the walk is over. */
  async fill(): Promise<boolean> {
    if (this.#over) return false;
    const { window } = this;
    if (await window.fill(this.#wanted)) return true;
    const end = endOf(window, 'block', this.#wanted);
    if (this.#passing > 0 && !window.damage) {
      const there = window.offsetOf(window.end) - this.#passingAt;
      this.break('cut-off-record', `the last block has ${String(there)} of ${String(this.#passing)} bytes`);
    } else if (end) this.break(end.kind, end.message);
    this.#over = true;
    return false;
  }

  /** Ends the walk because of what begins at the window's start. */
  break(kind: WarningKind, message: string): false {
    this.#over = true;
    this.warn(kind, message);
    return false;
  }

  warn(kind: WarningKind, message: string): void {
    const offset = this.#passing > 0 ? this.#passingAt : this.window.offsetOf(this.window.start);
    this.warnings.add(kind, offset, message);
  }

  #enterSection(available: number): boolean {
    const { start, view } = this.window;
    if (available < BLOCK_HEADER_BYTES + 4) return this.#want(BLOCK_HEADER_BYTES + 4);
    const magic = view.getUint32(start + BLOCK_HEADER_BYTES);
    if (magic !== BYTE_ORDER_MAGIC && magic !== BYTE_ORDER_MAGIC_SWAPPED)
      return this.break('block-damaged', `a section has the byte-order magic ${magic.toString(16)}`);
    const little = magic === BYTE_ORDER_MAGIC_SWAPPED;
    const length = view.getUint32(start + 4, little);
    if (length < SMALLEST_SECTION || length % 4 !== 0 || length > MOST_OPTIONS_BYTES)
      return this.break('block-damaged', `a section header claims a length of ${String(length)} bytes`);
    if (available < length) return this.#want(length);
    this.little = little;
    if (!this.#endsAs(start, length)) return false;
    const major = view.getUint16(start + 12, little);
    const minor = view.getUint16(start + 14, little);
    if (major !== 1)
      return this.break('block-damaged', `a section has version ${String(major)}.${String(minor)}, not 1.x`);
    const bodyEnd = start + length - BLOCK_TRAILER_BYTES;
    const damage = readOptions(view, start + 24, bodyEnd, little, () => undefined);
    if (damage !== null) return this.break('block-damaged', damage);
    const byteOrder = little ? 'little' : 'big';
    this.byteOrder = this.byteOrder === null || this.byteOrder === byteOrder ? byteOrder : 'mixed';
    this.interfaces.enterSection();
    this.window.start = start + length;
    return true;
  }

  #addInterface(length: number, available: number): boolean {
    if (length > MOST_OPTIONS_BYTES)
      return this.break('block-damaged', `an interface block claims a length of ${String(length)} bytes`);
    if (available < length) return this.#want(length);
    const { start, view } = this.window;
    if (!this.#endsAs(start, length)) return false;
    if (this.interfaces.current.length >= MAX_INTERFACES)
      return this.break(
        'too-many-interfaces',
        `a section has more than ${String(MAX_INTERFACES)} interfaces`,
      );
    const bodyEnd = start + length - BLOCK_TRAILER_BYTES;
    const described = readInterface(view, start + BLOCK_HEADER_BYTES, bodyEnd, this.little);
    if (typeof described === 'string') return this.break('block-damaged', described);
    this.interfaces.add(described);
    this.window.start = start + length;
    return true;
  }

  /** Takes the length at the end of a block whose body was passed over. */
  #finishPassing(): boolean {
    const { window } = this;
    if (window.end - window.start < BLOCK_TRAILER_BYTES) return this.#want(BLOCK_TRAILER_BYTES);
    const trailer = window.view.getUint32(window.start, this.little);
    if (trailer !== this.#passing) return this.break('block-damaged', lengthsDiffer(this.#passing, trailer));
    this.#passing = 0;
    window.start += BLOCK_TRAILER_BYTES;
    return true;
  }

  #endsAs(start: number, length: number): boolean {
    const trailer = this.window.view.getUint32(start + length - BLOCK_TRAILER_BYTES, this.little);
    return trailer === length || this.break('block-damaged', lengthsDiffer(length, trailer));
  }

  /** A packet's block is held whole, so its length has a bound: that of the section's largest packet. */
  #wantPacket(length: number): false {
    if (length > this.interfaces.maxCaptured + MOST_OPTIONS_BYTES)
      return this.break('record-too-long', `a packet's block claims ${String(length)} bytes`);
    return this.#want(length);
  }

  #want(count: number): false {
    this.#wanted = count;
    return false;
  }
}

function lengthsDiffer(first: number, second: number): string {
  return `a block gives its length as ${String(first)} bytes at its begin and ${String(second)} at its end`;
}
