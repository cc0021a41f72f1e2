// Classic pcap (draft-ietf-opsawg-pcap) and its variants: a file header, then records of a header and the packet's
// bytes. Both byte orders, microsecond and nanosecond stamps, Kuznetzov's longer record headers, Ixia's longer file
// header, and the lengths that were written the other way round before version 2.4. What a variant changes is a
// number decided when it is opened, so that the loop over the packets is one for all.
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { maxCaptured, minCaptured, outOfBounds } from './packet-bounds.ts';
import type { CaptureInfo, OpenedFile, PacketReader } from './packet-reader.ts';
import { WarningLog, type CaptureWarning, type WarningKind } from './warning.ts';
import { CaptureWindow, endOf } from './window.ts';

export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;

export interface PcapMagic {
  readonly littleEndian: boolean;
  readonly nanosecond: boolean;
  /** Bytes of a record before the packet's. */
  readonly recordHeaderBytes: number;
  /** Bytes between the file header and the first record. */
  readonly gapBytes: number;
}

/** Magic numbers as they stand in a big-endian file, and what they say. */
const magics: readonly (readonly [magic: number, facts: Omit<PcapMagic, 'littleEndian'>])[] = [
  [0xa1b2c3d4, { nanosecond: false, recordHeaderBytes: RECORD_HEADER_BYTES, gapBytes: 0 }],
  [0xa1b23c4d, { nanosecond: true, recordHeaderBytes: RECORD_HEADER_BYTES, gapBytes: 0 }],
  // Alexey Kuznetzov's: interface, protocol and packet type at the end of each record header.
  [0xa1b2cd34, { nanosecond: false, recordHeaderBytes: RECORD_HEADER_BYTES + 8, gapBytes: 0 }],
  // Ixia's lcap, of hardware and of software: the size of all records behind the file header.
  [0x1c0001ac, { nanosecond: false, recordHeaderBytes: RECORD_HEADER_BYTES, gapBytes: 4 }],
  [0x1c0001ab, { nanosecond: false, recordHeaderBytes: RECORD_HEADER_BYTES, gapBytes: 4 }],
];

/** What the first four bytes say, or null where they are no classic pcap. */
export function pcapMagic(head: Buffer): PcapMagic | null {
  if (head.length < 4) return null;
  for (const [magic, facts] of magics) {
    if (head.readUInt32BE(0) === magic) return { ...facts, littleEndian: false };
    if (head.readUInt32LE(0) === magic) return { ...facts, littleEndian: true };
  }
  return null;
}

/** A reader that tells where it is, so that reading may stop at a place and go on from there. */
export interface PlacedPacketReader extends PacketReader {
  /** Offset in the capture of the record that `advance` gives next, or that the capture breaks off at. */
  readonly nextOffset: number;
}

/**
 * Opens a classic pcap whose file header has been read already.
 * @param header the file's first 24 bytes
 * @param bytes gives what follows them, or what follows `from`; closed with the reader
 * @param from where a record begins, to go on from there
 * @throws Failure `capture-version`
 */
export function openClassicPcap(
  header: Buffer,
  magic: PcapMagic,
  bytes: ByteReader,
  file: OpenedFile,
  from = FILE_HEADER_BYTES,
): PlacedPacketReader {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const little = magic.littleEndian;
  const major = view.getUint16(4, little);
  const minor = view.getUint16(6, little);
  if (major !== 2) {
    throw new Failure('capture-version', { path: file.path, version: `${String(major)}.${String(minor)}` });
  }
  const info: CaptureInfo = {
    format: 'pcap',
    byteOrder: little ? 'little' : 'big',
    resolution: magic.nanosecond ? 'ns' : 'us',
    compression: file.compression,
    snaplen: view.getUint32(16, little),
    // The upper bits tell the length of a frame check sequence.
    linkTypes: [view.getUint32(20, little) & 0x03ffffff],
  };
  const window = new CaptureWindow(bytes, from, file.largestWindow);
  if (from === FILE_HEADER_BYTES) window.skip(magic.gapBytes);
  return new ClassicPcapReader(window, info, magic, minor);
}

class ClassicPcapReader implements PlacedPacketReader {
  readonly info: CaptureInfo;
  seconds = 0;
  nanos = 0;
  readonly timed = true;
  readonly linkType: number;
  capturedLength = 0;
  wireLength = 0;
  dataStart = 0;

  readonly #window: CaptureWindow;
  readonly #little: boolean;
  readonly #headerBytes: number;
  /** Places of the two lengths in a record's header. */
  readonly #capturedAt: number;
  readonly #wireAt: number;
  /** Version 2.3 was written in either order: the smaller length is the captured one. */
  readonly #eitherOrder: boolean;
  readonly #fractionLimit: number;
  readonly #fractionScale: number;
  readonly #maxCaptured: number;
  readonly #minCaptured: number;
  readonly #warnings = new WarningLog();
  /** Bytes needed from the window's start on before `advance` can go further. */
  #wanted: number;
  #over = false;

  constructor(window: CaptureWindow, info: CaptureInfo, magic: PcapMagic, minor: number) {
    this.info = info;
    this.#window = window;
    this.#little = magic.littleEndian;
    this.#headerBytes = magic.recordHeaderBytes;
    this.#wanted = this.#headerBytes;
    this.#capturedAt = minor < 3 ? 12 : 8;
    this.#wireAt = minor < 3 ? 8 : 12;
    this.#eitherOrder = minor === 3;
    this.#fractionLimit = magic.nanosecond ? 1e9 : 1e6;
    this.#fractionScale = magic.nanosecond ? 1 : 1000;
    this.linkType = info.linkTypes[0] ?? 0;
    this.#maxCaptured = maxCaptured(this.linkType);
    this.#minCaptured = minCaptured(this.linkType);
  }

  get window(): Buffer {
    return this.#window.bytes;
  }

  get nextOffset(): number {
    return this.#window.offsetOf(this.#window.start);
  }

  get consumed(): number {
    return this.#window.consumed;
  }

  advance(): boolean {
    const window = this.#window;
    const { start, view } = window;
    const headerBytes = this.#headerBytes;
    const available = window.end - start;
    if (available < headerBytes) {
      this.#wanted = headerBytes;
      return false;
    }
    const little = this.#little;
    let captured = view.getUint32(start + this.#capturedAt, little);
    let wire = view.getUint32(start + this.#wireAt, little);
    if (captured > wire && this.#eitherOrder) [captured, wire] = [wire, captured];
    if (captured > this.#maxCaptured || captured < this.#minCaptured) return this.#refuse(captured);
    if (available < headerBytes + captured) {
      this.#wanted = headerBytes + captured;
      return false;
    }
    const fraction = view.getUint32(start + 4, little);
    this.seconds = view.getUint32(start, little);
    this.nanos = fraction * this.#fractionScale;
    this.capturedLength = captured;
    this.wireLength = wire;
    this.dataStart = start + headerBytes;
    if (fraction >= this.#fractionLimit || captured > wire) this.#odd(start, fraction);
    window.start = start + headerBytes + captured;
    return true;
  }

  async fill(): Promise<boolean> {
    if (this.#over) return false;
    if (!(await this.#window.fill(this.#wanted))) {
      const end = endOf(this.#window, 'record', this.#wanted);
      this.#over = true;
      if (end) this.#break(end.kind, end.message);
      return false;
    }
    return true;
  }

  warnings(): CaptureWarning[] {
    return this.#warnings.list();
  }

  close(): Promise<void> {
    return this.#window.close();
  }

  #odd(start: number, fraction: number): void {
    const offset = this.#window.offsetOf(start);
    if (this.capturedLength > this.wireLength) {
      this.#warnings.add(
        'captured-longer-than-wire',
        offset,
        `a packet has ${String(this.capturedLength)} captured bytes of ${String(this.wireLength)} on the wire`,
      );
    }
    if (fraction >= this.#fractionLimit) {
      this.#warnings.add(
        'fraction-out-of-range',
        offset,
        `a stamp has a fraction of ${String(fraction)}; it is carried into the seconds`,
      );
      this.seconds += Math.floor(this.nanos / 1e9);
      this.nanos %= 1e9;
    }
  }

  #refuse(captured: number): false {
    if (this.#over) return false;
    const { kind, message } = outOfBounds(captured, this.linkType);
    this.#break(kind, message);
    return false;
  }

  #break(kind: WarningKind, message: string): void {
    this.#over = true;
    this.#warnings.add(kind, this.#window.offsetOf(this.#window.start), message);
  }
}
