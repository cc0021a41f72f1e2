// Compressed bytes on their way into a decoder: pulled in bounded slices, the next one ahead of its use, looked at and
// taken piece by piece. What is larger than a slice goes straight to where it is wanted.
import type { ByteReader } from './byte-reader.ts';

const FIRST_SLICE_BYTES = 32 * 1024;
const MOST_SLICE_BYTES = 256 * 1024;

/** Why compressed data end early. `cut`: the file ends in the middle of them. */
export class Damage extends Error {
  readonly cut: boolean;

  constructor(cut: boolean, message = 'the file ends in the middle of it', cause?: unknown) {
    super(message, { cause });
    this.cut = cut;
  }
}

/** What follows the last part of the compressed data is none of them, and not padding either. */
export class TrailingBytes extends Damage {
  constructor() {
    super(false, 'other bytes follow the compressed data and are not read');
  }
}

export class CompressedInput {
  readonly #reader: ByteReader;
  #slice = Buffer.alloc(0);
  /** The slice after it. */
  #spare = Buffer.alloc(0);
  /** The read into `#spare` that is under way. */
  #ahead: Promise<number> | null = null;
  #size = FIRST_SLICE_BYTES;
  /** Bytes of the slice that are not taken yet. */
  #start = 0;
  #end = 0;
  /** Bytes of the file up to the end of the slice. */
  #consumed = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** Bytes of the file before the next one to be taken. */
  get position(): number {
    return this.#consumed - (this.#end - this.#start);
  }

  /** What is at hand, at most `most` bytes, without taking it; empty at the end only. Valid until the next call. */
  peek(most: number): Promise<Buffer> {
    return this.#atHand(most, true);
  }

  take(count: number): void {
    this.#start += count;
  }

  /** Takes up to `length` bytes into `target`; fewer only at the end. */
  async readUpTo(target: Buffer, offset: number, length: number): Promise<number> {
    let filled = 0;
    while (filled < length) {
      const wanted = length - filled;
      const isLarge = wanted >= MOST_SLICE_BYTES;
      let count: number;
      if (isLarge && this.#start === this.#end && !this.#ahead) {
        count = await this.#reader.read(target, offset + filled, wanted);
        this.#consumed = this.#reader.consumed;
      } else {
        const piece = await this.#atHand(wanted, !isLarge);
        count = piece.copy(target, offset + filled);
        this.take(count);
      }
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async #atHand(most: number, readOn: boolean): Promise<Buffer> {
    if (this.#start === this.#end) {
      const count = await (this.#ahead ?? this.#readSpare());
      this.#consumed = this.#reader.consumed;
      [this.#slice, this.#spare] = [this.#spare, this.#slice];
      this.#start = 0;
      this.#end = count;
      if (count === this.#size) this.#size = Math.min(2 * this.#size, MOST_SLICE_BYTES);
      this.#ahead = readOn && count > 0 ? this.#readSpare() : null;
      // Told by who comes next; nobody may.
      this.#ahead?.catch(() => undefined);
    }
    return this.#slice.subarray(this.#start, Math.min(this.#end, this.#start + most));
  }

  #readSpare(): Promise<number> {
    if (this.#spare.length < this.#size) this.#spare = Buffer.allocUnsafeSlow(this.#size);
    return this.#reader.read(this.#spare, 0, this.#size);
  }

  /** @throws Damage where the file ends before */
  async read(target: Buffer, offset: number, length: number): Promise<void> {
    if ((await this.readUpTo(target, offset, length)) < length) throw new Damage(true);
  }

  /**
   * Passes over zeros up to the end of the file.
   * @param taken the bytes before, which began nothing
   * @throws TrailingBytes where one of all of them is not zero
   */
  async expectPadding(taken: Buffer): Promise<void> {
    for (let piece = taken; ; piece = await this.peek(MOST_SLICE_BYTES)) {
      if (piece.some((byte) => byte !== 0)) throw new TrailingBytes();
      if (piece === taken) continue;
      if (piece.length === 0) return;
      this.take(piece.length);
    }
  }

  /** @throws Damage where the file ends before */
  async bytes(length: number): Promise<Buffer> {
    const target = Buffer.alloc(length);
    await this.read(target, 0, length);
    return target;
  }

  /** @throws Damage where the file ends before */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const { length } = await this.peek(left);
      if (length === 0) throw new Damage(true);
      this.take(length);
      left -= length;
    }
  }

  async byteOrEnd(): Promise<number | null> {
    const [byte = null] = await this.peek(1);
    if (byte !== null) this.take(1);
    return byte;
  }

  /** @throws Damage where the file ends before */
  async byte(): Promise<number> {
    const byte = await this.byteOrEnd();
    if (byte === null) throw new Damage(true);
    return byte;
  }
}
