// Decompresses bzip2 on the fly: any number of streams, other bytes after the last one are passed over, as with gzip.
// Our own decoder (see docs/decisions/0004): the libraries there are hold a whole block's expansion in memory or do
// not end on damaged data. It works in steps of a few milliseconds.
import type { ByteReader } from './byte-reader.ts';
import { BitSource } from './bzip2-bits.ts';
import { readBlock, type BlockPause } from './bzip2-block.ts';
import { Damage, TrailingBytes, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';

const PIECE_BYTES = 64 * 1024;
const LEVEL_SYMBOLS = 100_000;
/** Magic number of a block and of a stream's end (the digits of π and of its square root), in halves. */
const BLOCK = [0x314159, 0x265359] as const;
const END = [0x177245, 0x385090] as const;
const MAGIC_BYTES = 16;

export function isBzip2(head: Buffer): boolean {
  const [b, z, h, level = 0] = head;
  return b === 0x42 && z === 0x5a && h === 0x68 && level >= 0x31 && level <= 0x39;
}

export function bunzip2(compressed: ByteReader, path: string): ByteReader {
  return decodedReader(compressed, path, new Bzip2Decoder());
}

class Bzip2Decoder implements Decoder {
  readonly #bits = new BitSource();
  #file: Generator<BlockPause, void, undefined> | null = this.#streams();

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    const next = this.#file?.next();
    if (!next || next.done === true) return false;
    if (next.value === 'more') {
      const piece = await input.peek(PIECE_BYTES);
      this.#bits.add(piece);
      input.take(piece.length);
    } else if (next.value !== 'pause') output.push(next.value);
    return true;
  }

  close(): void {
    this.#file = null;
  }

  *#streams(): Generator<BlockPause, void, undefined> {
    const bits = this.#bits;
    let work = new Uint32Array(0);
    for (let stream = 0; ; stream += 1) {
      while (!bits.has(MAGIC_BYTES)) yield 'more';
      const magic = Buffer.from([bits.read(8), bits.read(8), bits.read(8), bits.read(8)]);
      if (!isBzip2(magic)) {
        if (stream > 0) {
          if (magic.some((byte) => byte !== 0)) throw new TrailingBytes();
          return;
        }
        throw bits.overrun ? new Damage(true) : new Damage(false, 'it does not begin with a bzip2 stream');
      }
      const symbols = LEVEL_SYMBOLS * ((magic[3] as number) - 0x30);
      if (work.length !== symbols) work = new Uint32Array(symbols);
      yield* this.#stream(work);
      bits.align();
    }
  }

  *#stream(work: Uint32Array): Generator<BlockPause, void, undefined> {
    const bits = this.#bits;
    let combined = 0;
    for (;;) {
      while (!bits.has(MAGIC_BYTES)) yield 'more';
      const magic = [bits.read(24), bits.read(24)];
      if (isMagic(magic, BLOCK)) {
        const checksum = yield* readBlock(bits, work);
        combined = (((combined << 1) | (combined >>> 31)) ^ checksum) >>> 0;
        continue;
      }
      const told = isMagic(magic, END) ? bits.read32() : null;
      if (bits.overrun) throw new Damage(true);
      if (told === null) throw new Damage(false, 'what follows a block is none');
      if (told !== combined) throw new Damage(false, 'the checksum of a stream is wrong');
      return;
    }
  }
}

function isMagic(read: readonly number[], magic: readonly number[]): boolean {
  return read[0] === magic[0] && read[1] === magic[1];
}
