// Compressed bytes on their way into a decoder: pulled in bounded slices, looked at and taken piece by piece.
import type { ByteReader } from './byte-reader.ts';

const SLICE_BYTES = 64 * 1024;

/** Why compressed data end early. `cut`: the file ends in the middle of them. */
export class Damage extends Error {
  readonly cut: boolean;

  constructor(cut: boolean, message = 'the file ends in the middle of it', cause?: unknown) {
    super(message, { cause });
    this.cut = cut;
  }
}

export class CompressedInput {
  readonly #reader: ByteReader;
  readonly #slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  /** Bytes of the slice that are not taken yet. */
  #start = 0;
  #end = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** Bytes of the file before the next one to be taken. */
  get position(): number {
    return this.#reader.consumed - (this.#end - this.#start);
  }

  /** What is at hand, at most `most` bytes, without taking it; empty at the end only. Valid until the next call. */
  async peek(most: number): Promise<Buffer> {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      this.#end = await this.#reader.read(this.#slice, 0, this.#slice.length);
    }
    return this.#slice.subarray(this.#start, Math.min(this.#end, this.#start + most));
  }

  take(count: number): void {
    this.#start += count;
  }

  /** Takes up to `length` bytes into `target`; fewer only at the end. */
  async readUpTo(target: Buffer, offset: number, length: number): Promise<number> {
    let filled = 0;
    while (filled < length) {
      const piece = await this.peek(length - filled);
      if (piece.length === 0) break;
      piece.copy(target, offset + filled);
      this.take(piece.length);
      filled += piece.length;
    }
    return filled;
  }

  /** @throws Damage where the file ends before */
  async read(target: Buffer, offset: number, length: number): Promise<void> {
    if ((await this.readUpTo(target, offset, length)) < length) throw new Damage(true);
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
