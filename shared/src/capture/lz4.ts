// Decompresses LZ4 frames (lz4_Frame_format) on the fly: any number of them, blocks that refer to the ones before,
// checksums, skippable frames; other bytes after the last frame are passed over, as with gzip. Frames are read here,
// blocks are decoded by lz4-napi, so everything before a damaged block is delivered and memory is bounded by a block.
import type * as blockCodec from 'lz4-napi';
import type createXxhash from 'xxhash-wasm';
import { reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { Damage, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';
import { isSkippable, skipFrame } from './skippable-frame.ts';

const MAGIC = 0x184d2204;
const HISTORY_BYTES = 64 * 1024;
const UNCOMPRESSED = 0x8000_0000;
/** The block decoder takes the size of what comes out in front of a block; here that is the most that may. */
const SIZE_BYTES = 4;

export function isLz4(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) === MAGIC;
}

export async function unlz4(compressed: ByteReader, path: string): Promise<ByteReader> {
  const [blocks, { default: createHashes }] = await Promise.all([import('lz4-napi'), import('xxhash-wasm')]);
  return decodedReader(compressed, path, new Lz4Decoder(blocks, await createHashes()));
}

type BlockCodec = typeof blockCodec;
type Hashes = Awaited<ReturnType<typeof createXxhash>>;

interface Frame {
  readonly blockBytes: number;
  readonly dependent: boolean;
  readonly blockChecksums: boolean;
  /** Over all that comes out; null where the frame has none. */
  readonly checksum: ReturnType<Hashes['create32']> | null;
}

class Lz4Decoder implements Decoder {
  readonly #codec: BlockCodec;
  readonly #hashes: Hashes;
  #frame: Frame | null = null;
  #frames = 0;
  #block = Buffer.alloc(0);
  /** The last 64 KiB of the frame that came out, for blocks that refer to them. */
  #history: Buffer = Buffer.alloc(0);

  constructor(codec: BlockCodec, hashes: Hashes) {
    this.#codec = codec;
    this.#hashes = hashes;
  }

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    if (!this.#frame) return this.#enterFrame(input);
    const frame = this.#frame;
    const head = (await input.bytes(4)).readUInt32LE(0);
    if (head === 0) {
      if (frame.checksum) await this.#verify(input, frame.checksum.digest(), 'the content checksum is wrong');
      this.#frame = null;
      return true;
    }
    const length = head % UNCOMPRESSED;
    if (length > frame.blockBytes)
      throw new Damage(
        false,
        `a block claims ${String(length)} bytes, the frame allows ${String(frame.blockBytes)}`,
      );
    await input.read(this.#block, SIZE_BYTES, length);
    const block = this.#block.subarray(SIZE_BYTES, SIZE_BYTES + length);
    if (frame.blockChecksums)
      await this.#verify(input, this.#hashes.h32Raw(block), 'the checksum of a block is wrong');
    const plain = head >= UNCOMPRESSED ? Buffer.from(block) : this.#decode(length, frame);
    frame.checksum?.update(plain);
    if (frame.dependent) this.#remember(plain);
    if (plain.length > 0) output.push(plain);
    return true;
  }

  close(): void {
    this.#frame = null;
  }

  async #enterFrame(input: CompressedInput): Promise<boolean> {
    const magic = Buffer.alloc(4);
    const read = await input.readUpTo(magic, 0, 4);
    if (isSkippable(magic)) {
      await skipFrame(input);
      return true;
    }
    if (!isLz4(magic)) {
      if (this.#frames > 0) {
        await input.expectPadding(magic.subarray(0, read));
        return false;
      }
      throw new Damage(read < 4, 'it does not begin with an lz4 frame');
    }
    const start = await input.bytes(2);
    const [flags = 0, blockSize = 0] = start;
    if (flags >> 6 !== 1) throw new Damage(false, `a frame has version ${String(flags >> 6)}, not 1`);
    if (flags & 1) throw new Damage(false, 'a frame needs a dictionary');
    const code = (blockSize >> 4) & 7;
    if (code < 4) throw new Damage(false, `a frame has the unknown block size ${String(code)}`);
    const descriptor = Buffer.concat([start, await input.bytes(flags & 8 ? 8 : 0)]);
    if ((await input.byte()) !== ((this.#hashes.h32Raw(descriptor) >> 8) & 0xff))
      throw new Damage(false, 'the checksum of a frame header is wrong');
    this.#frame = {
      blockBytes: 2 ** (8 + 2 * code),
      dependent: (flags & 0x20) === 0,
      blockChecksums: (flags & 0x10) !== 0,
      checksum: flags & 4 ? this.#hashes.create32() : null,
    };
    this.#frames += 1;
    this.#history = this.#history.subarray(0, 0);
    if (this.#block.length < SIZE_BYTES + this.#frame.blockBytes)
      this.#block = Buffer.allocUnsafeSlow(SIZE_BYTES + this.#frame.blockBytes);
    return true;
  }

  #decode(length: number, { blockBytes }: Frame): Buffer {
    this.#block.writeUInt32LE(blockBytes, 0);
    const sized = this.#block.subarray(0, SIZE_BYTES + length);
    try {
      // At most some milliseconds, which its way to another thread multiplies.
      return this.#codec.uncompressSync(sized, this.#history);
    } catch (thrown) {
      throw new Damage(false, reasonOf(thrown), thrown);
    }
  }

  #remember(plain: Buffer): void {
    this.#history =
      plain.length >= HISTORY_BYTES
        ? plain.subarray(plain.length - HISTORY_BYTES)
        : Buffer.concat([this.#history, plain]).subarray(-HISTORY_BYTES);
  }

  async #verify(input: CompressedInput, checksum: number, message: string): Promise<void> {
    if ((await input.bytes(4)).readUInt32LE(0) !== checksum) throw new Damage(false, message);
  }
}
