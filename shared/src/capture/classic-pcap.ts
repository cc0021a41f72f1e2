// Classic pcap (draft-ietf-opsawg-pcap): a 24-byte file header, then records of a 16-byte header and the packet's
// bytes. Both byte orders, microsecond and nanosecond stamps. Not done here: decompression, the modified variants.
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import type { CaptureInfo, PacketReader } from './packet-reader.ts';
import { WarningLog, type CaptureWarning } from './warning.ts';

export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
const WINDOW_BYTES = 256 * 1024;

/** A record that claims more than this is damage, not a packet: the bound that Wireshark's readers use. */
export const MAX_CAPTURED_BYTES = 262_144;
/** Link types whose packets may be larger, with Wireshark's bounds: D-Bus, EBHSCR, and the USB captures. */
const maxCapturedByLinkType: ReadonlyMap<number, number> = new Map([
  [231, 128 * 1024 * 1024],
  [279, 8 * 1024 * 1024],
  [189, 128 * 1024 * 1024],
  [220, 128 * 1024 * 1024],
  [249, 128 * 1024 * 1024],
]);

/** Bytes that a packet of a link type may have in a file. */
export function maxCapturedBytes(linkType: number): number {
  return maxCapturedByLinkType.get(linkType) ?? MAX_CAPTURED_BYTES;
}

export interface PcapMagic {
  readonly littleEndian: boolean;
  readonly nanosecond: boolean;
}

/** What the first four bytes say, or null where they are no classic pcap. */
export function pcapMagic(head: Buffer): PcapMagic | null {
  if (head.length < 4) return null;
  switch (head.readUInt32BE(0)) {
    case 0xa1b2c3d4:
      return { littleEndian: false, nanosecond: false };
    case 0xd4c3b2a1:
      return { littleEndian: true, nanosecond: false };
    case 0xa1b23c4d:
      return { littleEndian: false, nanosecond: true };
    case 0x4d3cb2a1:
      return { littleEndian: true, nanosecond: true };
    default:
      return null;
  }
}

/** A reader that tells where it is, so that reading may stop at a place and go on from there. */
export interface PlacedPacketReader extends PacketReader {
  /** Offset in the capture of the record that `advance` gives next, or that the capture breaks off at. */
  readonly nextOffset: number;
}

/**
 * Opens a classic pcap whose file header has been read already.
 * @param header the file's first 24 bytes
 * @param bytes gives what follows them, or what stands at `from`; closed with the reader
 * @param from offset of the record to begin with
 * @throws Failure `capture-version`
 */
export function openClassicPcap(
  header: Buffer,
  magic: PcapMagic,
  bytes: ByteReader,
  file: { readonly path: string; readonly compression: CaptureInfo['compression'] },
  from = FILE_HEADER_BYTES,
): PlacedPacketReader {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const little = magic.littleEndian;
  const major = view.getUint16(4, little);
  if (major !== 2) {
    throw new Failure('capture-version', {
      path: file.path,
      version: `${String(major)}.${String(view.getUint16(6, little))}`,
    });
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
  return new ClassicPcapReader(bytes, info, from);
}

class ClassicPcapReader implements PlacedPacketReader {
  readonly info: CaptureInfo;
  seconds = 0;
  nanos = 0;
  readonly timed = true;
  readonly linkType: number;
  capturedLength = 0;
  wireLength = 0;
  window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  dataStart = 0;

  readonly #bytes: ByteReader;
  readonly #little: boolean;
  readonly #fractionLimit: number;
  readonly #fractionScale: number;
  readonly #maxCaptured: number;
  readonly #warnings = new WarningLog();
  #view: DataView;
  /** Window positions: the next record, and the end of the bytes read. */
  #next = 0;
  #end = 0;
  /** Bytes needed from `#next` on before `advance` can go further. */
  #wanted = RECORD_HEADER_BYTES;
  /** Offset in the capture of window position 0. */
  #windowOffset: number;
  #over = false;

  constructor(bytes: ByteReader, info: CaptureInfo, from: number) {
    this.#bytes = bytes;
    this.#windowOffset = from;
    this.info = info;
    this.#little = info.byteOrder === 'little';
    this.#fractionLimit = info.resolution === 'ns' ? 1e9 : 1e6;
    this.#fractionScale = info.resolution === 'ns' ? 1 : 1000;
    this.linkType = info.linkTypes[0] ?? 0;
    this.#maxCaptured = maxCapturedBytes(this.linkType);
    this.#view = viewOf(this.window);
  }

  get consumed(): number {
    return this.#bytes.consumed;
  }

  get nextOffset(): number {
    return this.#windowOffset + this.#next;
  }

  advance(): boolean {
    const start = this.#next;
    const available = this.#end - start;
    if (available < RECORD_HEADER_BYTES) {
      this.#wanted = RECORD_HEADER_BYTES;
      return false;
    }
    const view = this.#view;
    const little = this.#little;
    const captured = view.getUint32(start + 8, little);
    // Too long is left to `fill` to tell, also where the window happens to hold all of it.
    if (available < RECORD_HEADER_BYTES + captured || captured > this.#maxCaptured) {
      this.#wanted = RECORD_HEADER_BYTES + captured;
      return false;
    }
    const wire = view.getUint32(start + 12, little);
    const fraction = view.getUint32(start + 4, little);
    this.seconds = view.getUint32(start, little);
    this.nanos = fraction * this.#fractionScale;
    this.capturedLength = captured;
    this.wireLength = wire;
    this.dataStart = start + RECORD_HEADER_BYTES;
    this.#next = start + RECORD_HEADER_BYTES + captured;
    if (fraction >= this.#fractionLimit || captured > wire) this.#odd(start, fraction);
    return true;
  }

  async fill(): Promise<boolean> {
    if (this.#over) return false;
    if (this.#wanted > RECORD_HEADER_BYTES + this.#maxCaptured) {
      const claimed = String(this.#wanted - RECORD_HEADER_BYTES);
      this.#break(
        'record-too-long',
        `a record claims ${claimed} bytes, the bound is ${String(this.#maxCaptured)}`,
      );
      return false;
    }
    this.#makeRoom();
    try {
      while (this.#end < this.#wanted) {
        const count = await this.#bytes.read(this.window, this.#end, this.window.length - this.#end);
        if (count === 0) {
          if (this.#end > 0)
            this.#break(
              'cut-off-record',
              `the last record has ${String(this.#end)} of ${String(this.#wanted)} bytes`,
            );
          this.#over = true;
          return false;
        }
        this.#end += count;
      }
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'compression-damaged') throw thrown;
      const cut = thrown.fields['cut'] === 'yes';
      this.#break(cut ? 'cut-off-compression' : 'damaged-compression', thrown.message);
      return false;
    }
    return true;
  }

  warnings(): CaptureWarning[] {
    return this.#warnings.list();
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }

  /** Moves what is left to the window's start, into a larger window where the next record needs one. */
  #makeRoom(): void {
    const left = this.#end - this.#next;
    if (this.#wanted > this.window.length) {
      const larger = Buffer.allocUnsafeSlow(this.#wanted + WINDOW_BYTES);
      this.window.copy(larger, 0, this.#next, this.#end);
      this.window = larger;
      this.#view = viewOf(larger);
    } else if (left > 0) {
      this.window.copyWithin(0, this.#next, this.#end);
    }
    this.#windowOffset += this.#next;
    this.#next = 0;
    this.#end = left;
  }

  #odd(start: number, fraction: number): void {
    if (this.capturedLength > this.wireLength) {
      this.#warnings.add(
        'captured-longer-than-wire',
        this.#windowOffset + start,
        `a packet has ${String(this.capturedLength)} captured bytes of ${String(this.wireLength)} on the wire`,
      );
    }
    if (fraction >= this.#fractionLimit) {
      this.#warnings.add(
        'fraction-out-of-range',
        this.#windowOffset + start,
        `a stamp has a fraction of ${String(fraction)}; it is carried into the seconds`,
      );
      this.seconds += Math.floor(this.nanos / 1e9);
      this.nanos %= 1e9;
    }
  }

  #break(kind: Parameters<WarningLog['add']>[0], message: string): void {
    this.#over = true;
    this.#warnings.add(kind, this.#windowOffset + this.#next, message);
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
