// Decompresses xz on the fly through liblzma (lzma-native, which works outside the event loop): any number of streams
// with padding between them. Small steps, because data may expand seven-thousandfold, and a bound on the memory that
// a stream may ask for.
import { reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';
import { Damage, type CompressedInput } from './compressed-input.ts';
import { decodedReader, type Decoder } from './decoded-reader.ts';
import { StepSize } from './step-size.ts';
import { TransformPump } from './transform-pump.ts';

const MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
/** Compressed bytes of a step; they expand by some 7000 at most. */
const LEAST_STEP_BYTES = 512;
const MOST_STEP_BYTES = 4 * 1024;
/** `xz -9` needs 65 MiB, a dictionary of 128 MiB a little more than that. */
const MEMORY_LIMIT_MIB = 136;
/** Further streams, and padding between them. */
const LZMA_CONCATENATED = 8;
const OUTPUT_CHUNK_BYTES = 64 * 1024;

export function isXz(head: Buffer): boolean {
  return head.length >= MAGIC.length && head.subarray(0, MAGIC.length).equals(MAGIC);
}

export async function unxz(compressed: ByteReader, path: string): Promise<ByteReader> {
  const { default: lzma } = await import('lzma-native');
  const stream = lzma.createStream('streamDecoder', {
    memlimit: MEMORY_LIMIT_MIB * 2 ** 20,
    // The typings have its name; the library takes the number.
    flags: LZMA_CONCATENATED as unknown as 'CONCATENATED',
    bufsize: OUTPUT_CHUNK_BYTES,
  });
  return decodedReader(compressed, path, new XzDecoder(new TransformPump(stream)));
}

class XzDecoder implements Decoder {
  readonly #pump: TransformPump;
  readonly #step = new StepSize(LEAST_STEP_BYTES, MOST_STEP_BYTES);

  constructor(pump: TransformPump) {
    this.#pump = pump;
  }

  async step(input: CompressedInput, output: Buffer[]): Promise<boolean> {
    const bytes = await input.peek(this.#step.bytes);
    input.take(bytes.length);
    try {
      if (bytes.length > 0) await this.#pump.write(bytes, output);
      else await this.#pump.end(output);
    } catch (thrown) {
      throw damageOf(thrown);
    }
    this.#step.gave(output.reduce((sum, chunk) => sum + chunk.length, 0));
    return bytes.length > 0;
  }

  close(): void {
    this.#pump.close();
  }
}

function damageOf(thrown: unknown): Damage {
  switch (thrown instanceof Error ? thrown.name : '') {
    case 'LZMA_BUF_ERROR':
      return new Damage(true, undefined, thrown);
    case 'LZMA_MEMLIMIT_ERROR':
      return new Damage(false, `it needs more than ${String(MEMORY_LIMIT_MIB)} MiB of memory`, thrown);
    default:
      return new Damage(false, reasonOf(thrown), thrown);
  }
}
