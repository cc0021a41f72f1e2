// The packets of a pcapng capture (draft-ietf-opsawg-pcapng, 4.3 to 4.5 and A): those of enhanced, simple and obsolete
// packet blocks, from all sections and interfaces. What is said of packets in options, and by other blocks, is not
// read.
import { Failure } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { outOfBounds } from './packet-bounds.ts';
import type { CaptureInfo, OpenedFile, PacketReader } from './packet-reader.ts';
import { BLOCK_TRAILER_BYTES, BlockWalker, blockTypes } from './pcapng-blocks.ts';
import type { Interface } from './pcapng-interfaces.ts';
import type { CaptureWarning } from './warning.ts';
import { CaptureWindow } from './window.ts';

/** Bytes of a block before the packet's. */
const PACKET_AT = 28;
const SIMPLE_PACKET_AT = 12;

export function isPcapng(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === blockTypes.section;
}

/**
 * Opens a pcapng capture and reads its first headers.
 * @param bytes the capture from its start; closed with the reader
 * @throws Failure `capture-too-short`, `capture-damaged`, `compression-damaged`
 */
export async function openPcapng(bytes: ByteReader, file: OpenedFile): Promise<PacketReader> {
  const blocks = new BlockWalker(new CaptureWindow(bytes, 0, file.largestWindow));
  // Without a sound first section nothing can be told; and interfaces are known where they stand before packets.
  while (!blocks.toPacket() && blocks.byteOrder === null && (await blocks.fill()));
  if (blocks.byteOrder === null) throw whyNone(blocks, file.path);
  return new PcapngReader(blocks, file.compression);
}

function whyNone({ window, warnings }: BlockWalker, path: string): Failure {
  if (window.damage) return window.damage;
  const [warning] = warnings.list();
  if (warning?.kind === 'cut-off-record')
    return new Failure('capture-too-short', { path, size: window.end - window.start });
  return new Failure('capture-damaged', { path, reason: warning?.message ?? 'it has no section' });
}

class PcapngReader implements PacketReader {
  seconds = 0;
  nanos = 0;
  timed = false;
  linkType = 0;
  capturedLength = 0;
  wireLength = 0;
  dataStart = 0;

  readonly #blocks: BlockWalker;
  readonly #compression: CaptureInfo['compression'];

  constructor(blocks: BlockWalker, compression: CaptureInfo['compression']) {
    this.#blocks = blocks;
    this.#compression = compression;
  }

  get info(): CaptureInfo {
    const { interfaces, byteOrder } = this.#blocks;
    return {
      format: 'pcapng',
      compression: this.#compression,
      byteOrder: byteOrder ?? 'little',
      resolution: interfaces.resolution,
      snaplen: interfaces.snaplen,
      linkTypes: interfaces.linkTypes,
    };
  }

  get window(): Buffer {
    return this.#blocks.window.bytes;
  }

  get consumed(): number {
    return this.#blocks.window.consumed;
  }

  advance(): boolean {
    const blocks = this.#blocks;
    if (!blocks.toPacket()) return false;
    const { start, view } = blocks.window;
    const { little } = blocks;
    const type = view.getUint32(start, little);
    const length = view.getUint32(start + 4, little);
    if (type === blockTypes.simplePacket) return this.#simple(start, length);
    if (length < PACKET_AT + BLOCK_TRAILER_BYTES)
      return this.#tooSmall(length, PACKET_AT + BLOCK_TRAILER_BYTES);
    const obsolete = type === blockTypes.obsoletePacket;
    const number = obsolete ? view.getUint16(start + 8, little) : view.getUint32(start + 8, little);
    const described = blocks.interfaces.current[number];
    if (!described) return this.#unknownInterface(number);
    const captured = view.getUint32(start + 20, little);
    if (!this.#fits(captured, described, length - PACKET_AT - BLOCK_TRAILER_BYTES)) return false;
    this.#stamp(described, view.getUint32(start + 12, little), view.getUint32(start + 16, little));
    this.#place(described, start + PACKET_AT, captured, view.getUint32(start + 24, little));
    blocks.window.start = start + length;
    return true;
  }

  fill(): Promise<boolean> {
    return this.#blocks.fill();
  }

  warnings(): CaptureWarning[] {
    return this.#blocks.warnings.list();
  }

  close(): Promise<void> {
    return this.#blocks.window.close();
  }

  /** A simple packet block: of the first interface, without a stamp; its captured length follows from the snaplen. */
  #simple(start: number, length: number): boolean {
    const blocks = this.#blocks;
    if (length < SIMPLE_PACKET_AT + BLOCK_TRAILER_BYTES)
      return this.#tooSmall(length, SIMPLE_PACKET_AT + BLOCK_TRAILER_BYTES);
    const [described] = blocks.interfaces.current;
    if (!described) return this.#unknownInterface(0);
    const wire = blocks.window.view.getUint32(start + 8, blocks.little);
    const { snaplen } = described;
    const captured = snaplen > 0 && snaplen < wire ? snaplen : wire;
    if (!this.#fits(captured, described, length - SIMPLE_PACKET_AT - BLOCK_TRAILER_BYTES)) return false;
    this.timed = false;
    this.#place(described, start + SIMPLE_PACKET_AT, captured, wire);
    blocks.window.start = start + length;
    return true;
  }

  #fits(captured: number, described: Interface, room: number): boolean {
    if (captured > described.maxCaptured || captured < described.minCaptured) {
      const { kind, message } = outOfBounds(captured, described.linkType);
      return this.#blocks.break(kind, message);
    }
    return captured <= room || this.#tooSmall(room, captured);
  }

  #stamp({ clock }: Interface, high: number, low: number): void {
    this.timed = clock.convert(high, low);
    if (this.timed) {
      this.seconds = clock.seconds;
      this.nanos = clock.nanos;
    } else {
      this.#blocks.warn('stamp-out-of-range', 'a stamp lies too far from 1970; its packet counts as without');
    }
  }

  #place({ linkType }: Interface, dataStart: number, captured: number, wire: number): void {
    this.linkType = linkType;
    this.capturedLength = captured;
    this.wireLength = wire;
    this.dataStart = dataStart;
    if (captured <= wire) return;
    this.#blocks.warn(
      'captured-longer-than-wire',
      `a packet has ${String(captured)} captured bytes of ${String(wire)} on the wire`,
    );
  }

  #tooSmall(has: number, needed: number): false {
    return this.#blocks.break(
      'block-damaged',
      `a packet's block has room for ${String(has)} bytes, it needs ${String(needed)}`,
    );
  }

  #unknownInterface(number: number): false {
    const known = this.#blocks.interfaces.current.length;
    return this.#blocks.break(
      'unknown-interface',
      `a packet names interface ${String(number)}, its section has ${String(known)}`,
    );
  }
}
