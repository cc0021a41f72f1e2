// The frame that is being edited: one buffer for all frames, with room in front for a longer header. Grows to the
// largest frame and stays there.

/** In front of a frame that was just taken: an Ethernet header and some tags. */
const HEADROOM = 64;
const FIRST_BYTES = 64 * 1024;

export class FrameBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  start = HEADROOM;
  length = 0;
  /** What the frame had on the wire, edits included. */
  wireLength = 0;

  get end(): number {
    return this.start + this.length;
  }

  /** Takes a copy of a frame. */
  take(source: Buffer, start: number, length: number, wireLength: number): void {
    this.start = HEADROOM;
    this.length = length;
    this.wireLength = wireLength;
    this.#makeRoom(HEADROOM + length, 0);
    source.copy(this.bytes, HEADROOM, start, start + length);
  }

  /** Makes `count` bytes in front of the frame its own; what they hold is to be written. At most 64 in all. */
  grow(count: number): void {
    this.start -= count;
    this.length += count;
    this.wireLength += count;
  }

  /** Takes `count` bytes off in front; a negative `grow`. */
  shrink(count: number): void {
    this.grow(-count);
  }

  /** Zeros behind the frame until it has `length` bytes. */
  pad(length: number): void {
    if (length <= this.length) return;
    this.#makeRoom(this.start + length, this.end);
    this.bytes.fill(0, this.end, this.start + length);
    this.length = length;
  }

  /** @param keep bytes from the beginning on that stay */
  #makeRoom(size: number, keep: number): void {
    if (size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)));
    this.bytes.copy(larger, 0, 0, keep);
    this.bytes = larger;
  }
}
