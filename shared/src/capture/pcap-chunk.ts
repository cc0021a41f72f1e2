// Writes a capture: nanosecond pcap of Ethernet frames, little endian, a chunk at a time, so that memory does not grow
// with the capture. Format: draft-ietf-opsawg-pcap.
import { LINKTYPE_ETHERNET } from './link-type.ts';
import { MAX_CAPTURED_BYTES } from './packet-bounds.ts';

const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** Takes any frame. */
const CHUNK_BYTES = 512 * 1024;
const LARGEST_WORD = 0xffff_ffff;

export class PcapChunk {
  #bytes = Buffer.allocUnsafe(CHUNK_BYTES);
  #used = FILE_HEADER_BYTES;

  constructor() {
    const bytes = this.#bytes;
    bytes.fill(0, 0, FILE_HEADER_BYTES);
    bytes.writeUInt32LE(MAGIC_NANOSECONDS, 0);
    bytes.writeUInt16LE(2, 4);
    bytes.writeUInt16LE(4, 6);
    bytes.writeUInt32LE(MAX_CAPTURED_BYTES, 16);
    bytes.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  }

  /** Whether pcap can hold a stamp: from 1970 to 2106. */
  static holds(seconds: number): boolean {
    return seconds >= 0 && seconds <= LARGEST_WORD;
  }

  /**
   * Adds a frame; what is beyond the largest that captures may have is cut off.
   * @param seconds one that `holds`
   * @returns false where there is no room: `take` first; nothing was added then
   */
  add(
    seconds: number,
    nanos: number,
    source: Buffer,
    start: number,
    length: number,
    wireLength: number,
  ): boolean {
    const captured = Math.min(length, MAX_CAPTURED_BYTES);
    const at = this.#used;
    const bytes = this.#bytes;
    if (at + RECORD_HEADER_BYTES + captured > bytes.length) return false;
    bytes.writeUInt32LE(seconds, at);
    bytes.writeUInt32LE(nanos, at + 4);
    bytes.writeUInt32LE(captured, at + 8);
    bytes.writeUInt32LE(Math.min(wireLength, LARGEST_WORD), at + 12);
    source.copy(bytes, at + RECORD_HEADER_BYTES, start, start + captured);
    this.#used = at + RECORD_HEADER_BYTES + captured;
    return true;
  }

  /** What was added since the last time, the file's header included at first; the caller owns it. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#bytes = Buffer.allocUnsafe(CHUNK_BYTES);
    this.#used = 0;
    return taken;
  }
}
