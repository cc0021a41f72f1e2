// Decompresses Zstandard (RFC 8878) on the fly: any number of frames, skippable ones between them; other bytes after
// the last frame are passed over, as with gzip. The frames' structure is read here, the decoding is left to Node's
// zlib (which works outside the event loop) one block at a time: so everything before a damaged block is delivered,
// memory is bounded by a block, and a frame that wants more than WINDOW_LIMIT is refused before it gets it.
import { constants, createZstdDecompress } from 'node:zlib';
import { reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { Damage, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';
import { isSkippable, skipFrame } from './skippable-frame.ts';
import { TransformPump } from './transform-pump.ts';

const MAGIC = 0xfd2fb528;
/** What `zstd -d` takes without being told that there is memory. */
const WINDOW_LIMIT_LOG = 27;
const WINDOW_LIMIT = 2 ** WINDOW_LIMIT_LOG;

const LARGEST_BLOCK = 128 * 1024;
/** Block types; 0 is raw. */
const RLE = 1;
const COMPRESSED = 2;
/** Frame header, with its magic. */
const LARGEST_HEADER = 18;
const BLOCK_HEADER = 3;
const CHECKSUM = 4;
/** Blocks that cannot be damaged are decoded together, up to so many bytes. */
const BATCH_OUTPUT = 512 * 1024;
const OUTPUT_CHUNK_BYTES = 512 * 1024;

export function isZstd(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) === MAGIC;
}

export function unzstd(compressed: ByteReader, path: string): ByteReader {
  return decodedReader(compressed, path, new ZstdDecoder());
}

class ZstdDecoder implements Decoder {
  readonly #pump = new TransformPump(
    createZstdDecompress({
      chunkSize: OUTPUT_CHUNK_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LIMIT_LOG },
    }),
  );
  /** What is decoded next: whole blocks, the first of a frame behind the frame's header. */
  readonly #batch = Buffer.allocUnsafeSlow(LARGEST_HEADER + 2 * (BLOCK_HEADER + LARGEST_BLOCK));
  #length = 0;
  /** The next block's header, where it was read already. */
  #header: BlockHeader | null = null;
  #inFrame = false;
  #hasChecksum = false;
  #frames = 0;

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    if (!this.#inFrame) return this.#enterFrame(input);
    let last = await this.#takeBlock(input);
    let damage: unknown = null;
    try {
      last ||= await this.#takeMore(input);
    } catch (thrown) {
      // The blocks before it are sound.
      damage = thrown;
    }
    await this.#decode(this.#batch.subarray(0, this.#length), output);
    this.#length = 0;
    if (damage !== null) throw damage as Error;
    if (last) {
      // A wrong checksum must not take the last block with it.
      if (this.#hasChecksum) await this.#decode(await input.bytes(CHECKSUM), output);
      this.#inFrame = false;
    }
    return true;
  }

  close(): void {
    this.#pump.close();
  }

  async #enterFrame(input: CompressedInput): Promise<boolean> {
    const batch = this.#batch;
    const magic = batch.subarray(0, await input.readUpTo(batch, 0, 4));
    if (isSkippable(magic)) {
      await skipFrame(input);
      return true;
    }
    if (!isZstd(magic)) {
      if (this.#frames > 0) {
        await input.expectPadding(magic);
        return false;
      }
      throw new Damage(magic.length < 4, 'it does not begin with a zstd frame');
    }
    const descriptor = await input.byte();
    batch[4] = descriptor;
    const single = (descriptor & 0x20) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
    const rest = (single ? 0 : 1) + dictionaryBytes + sizeBytes;
    await input.read(batch, 5, rest);
    this.#length = 5 + rest;
    if (!single && windowOf(batch[5] as number) > WINDOW_LIMIT) {
      const needed = String(windowOf(batch[5] as number) / 2 ** 20);
      const limit = String(WINDOW_LIMIT / 2 ** 20);
      throw new Damage(false, `a frame needs a window of ${needed} MiB, the limit is ${limit} MiB`);
    }
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#inFrame = true;
    this.#frames += 1;
    return true;
  }

  /** Puts the blocks that follow into the batch, as far as they are small. True: the frame's last is among them. */
  async #takeMore(input: CompressedInput): Promise<boolean> {
    for (let room = BATCH_OUTPUT; ;) {
      this.#header = await readBlockHeader(input);
      const { type, size } = this.#header;
      room -= size;
      const fits = this.#length + BLOCK_HEADER + LARGEST_BLOCK <= this.#batch.length;
      if (type === COMPRESSED || room < 0 || !fits) return false;
      if (await this.#takeBlock(input)) return true;
    }
  }

  /** Puts the next block into the batch. True: it is the frame's last. */
  async #takeBlock(input: CompressedInput): Promise<boolean> {
    const header = this.#header ?? (await readBlockHeader(input));
    this.#header = null;
    this.#batch.writeUIntLE(header.bits, this.#length, BLOCK_HEADER);
    const length = header.type === RLE ? 1 : header.size;
    await input.read(this.#batch, this.#length + BLOCK_HEADER, length);
    this.#length += BLOCK_HEADER + length;
    return header.last;
  }

  async #decode(bytes: Buffer, output: Buffer[]): Promise<void> {
    try {
      await this.#pump.write(bytes, output);
    } catch (thrown) {
      throw new Damage(false, reasonOf(thrown), thrown);
    }
  }
}

interface BlockHeader {
  readonly bits: number;
  readonly last: boolean;
  readonly type: number;
  readonly size: number;
}

async function readBlockHeader(input: CompressedInput): Promise<BlockHeader> {
  const bits = (await input.bytes(BLOCK_HEADER)).readUIntLE(0, BLOCK_HEADER);
  const type = (bits >> 1) & 3;
  const size = bits >> 3;
  if (type > COMPRESSED) throw new Damage(false, `a block has the unknown type ${String(type)}`);
  if (size > LARGEST_BLOCK) throw new Damage(false, `a block claims ${String(size)} bytes`);
  return { bits, last: (bits & 1) === 1, type, size };
}

/** Bytes of history that a frame's window descriptor asks for (RFC 8878, 3.1.1.1.2). */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
