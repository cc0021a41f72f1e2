// Bits of a bzip2 file, most significant first, out of bytes that arrive in pieces. Who reads asks for room first
// (`room`), and then reads without asking.
import { Damage } from './compressed-input.ts';

/** Enough for one group of codes, or the header of a block. */
const ROOM_BYTES = 128;
/** Zero bytes behind the end, so that the last bits can be read like any others. */
const PADDING_BYTES = 256;

export class BitSource {
  #bytes = Buffer.alloc(0);
  /** In bits. */
  #position = 0;
  /** Bytes of `#bytes` that came from the file. */
  #length = 0;
  #over = false;

  /** True where that many bytes are there, or no more will be. */
  has(bytes: number): boolean {
    return this.#over || this.#length - (this.#position >>> 3) >= bytes;
  }

  /** True where more was read than the file has. */
  get overrun(): boolean {
    return this.#position > this.#length * 8;
  }

  /** Adds a piece, which is copied; an empty one says that there are no more. */
  add(piece: Buffer): void {
    const from = this.#position >>> 3;
    if (piece.length === 0) this.#over = true;
    const rest = this.#bytes.subarray(from, this.#length);
    this.#length = rest.length + piece.length;
    this.#position &= 7;
    this.#bytes = Buffer.concat([rest, piece, Buffer.alloc(PADDING_BYTES)]);
  }

  /** The next bits without taking them, at most 24. */
  peek(count: number): number {
    const bytes = this.#bytes;
    const at = this.#position >>> 3;
    const word =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
    return (word << (this.#position & 7)) >>> (32 - count);
  }

  skip(count: number): void {
    this.#position += count;
  }

  /** The next bits, at most 24. */
  read(count: number): number {
    const value = this.peek(count);
    this.#position += count;
    return value;
  }

  read32(): number {
    return this.read(16) * 0x1_0000 + this.read(16);
  }

  /** Goes on to the next whole byte. */
  align(): void {
    this.#position = (this.#position + 7) & ~7;
  }
}

/** Pauses until there is room for what is read next: a group of codes, a header. */
export function* room(bits: BitSource): Generator<'more', void, undefined> {
  while (!bits.has(ROOM_BYTES)) yield 'more';
  if (bits.overrun) throw new Damage(true);
}

/** What cannot be read because the file ended is cut, not damaged. */
export function damage(bits: BitSource, message: string): Damage {
  return bits.overrun ? new Damage(true) : new Damage(false, message);
}
