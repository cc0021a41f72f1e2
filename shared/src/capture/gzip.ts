// Inflates gzip (RFC 1952) on the fly, any number of members. One bounded slice of compressed bytes is inflated at
// a time, so memory is bounded even for data that expand a thousandfold, and everything before a damage is
// delivered before the damage is reported. Uses Node's zlib, which works outside the event loop.
import { createGunzip } from 'node:zlib';
import { Failure, reasonOf } from '../errors/failure.ts';
import type { ByteReader } from './byte-reader.ts';

const SLICE_BYTES = 64 * 1024;
const OUTPUT_CHUNK_BYTES = 128 * 1024;

export function isGzip(head: Buffer): boolean {
  return head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b;
}

export function gunzip(compressed: ByteReader, path: string): ByteReader {
  const inflater = createGunzip({ chunkSize: OUTPUT_CHUNK_BYTES });
  const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  const chunks: Buffer[] = [];
  let position = 0;
  let ended = false;
  let failure: Error | undefined;
  let taken = (): void => undefined;

  inflater.on('data', (chunk: Buffer) => chunks.push(chunk));
  inflater.on('error', (error) => {
    failure = error;
    taken();
  });

  /** Gives the inflater one more slice and waits until it has taken it; collects the output in `chunks`. */
  async function inflateSlice(): Promise<void> {
    const count = await compressed.read(slice, 0, slice.length);
    await new Promise<void>((resolve) => {
      taken = resolve;
      if (count === 0) inflater.end(resolve);
      else
        inflater.write(slice.subarray(0, count), () => {
          resolve();
        });
    });
    if (count === 0 || inflater.readableEnded) ended = true;
  }

  return {
    async read(target, offset, length) {
      while (chunks.length === 0) {
        if (failure) throw damage(failure);
        if (ended) return 0;
        await inflateSlice();
      }
      const chunk = chunks[0] as Buffer;
      const count = chunk.copy(target, offset, position, Math.min(chunk.length, position + length));
      position += count;
      if (position === chunk.length) {
        chunks.shift();
        position = 0;
      }
      return count;
    },
    get consumed() {
      return compressed.consumed;
    },
    async close() {
      ended = true;
      inflater.destroy();
      await compressed.close();
    },
  };

  function damage(error: Error): Failure {
    const cut = 'code' in error && error.code === 'Z_BUF_ERROR';
    return new Failure(
      'compression-damaged',
      {
        path,
        offset: compressed.consumed,
        reason: cut ? 'the file ends in the middle of it' : reasonOf(error),
        cut: cut ? 'yes' : 'no',
      },
      { cause: error },
    );
  }
}
