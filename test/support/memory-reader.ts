/**
 * Bytes in memory behind the product's port for reading, handed out in pieces of a size that the test chooses, with a
 * failure at a chosen place if wanted.
 */
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';

export interface MemoryReaderOptions {
  /** Largest piece per read, or the sizes to go round in; a whole read at a time when left out. */
  chunk?: number | readonly number[];
  /** Thrown by the first read that would begin at or after `at`; reads before it end there. */
  failure?: { at: number; error: Error };
}

export interface MemoryReader extends ByteReader {
  /** Calls of `close` so far. */
  readonly closed: number;
  /** Calls of `read` so far. */
  readonly reads: number;
}

export function memoryReader(bytes: Uint8Array, options: MemoryReaderOptions = {}): MemoryReader {
  const { chunk = Infinity, failure } = options;
  const sizes = typeof chunk === 'number' ? [chunk] : chunk;
  const end = Math.min(bytes.length, failure?.at ?? Infinity);
  let position = 0;
  let closed = 0;
  let reads = 0;
  return {
    async read(target, offset, length) {
      // Late on purpose: who counts on an answer at once is found out.
      await Promise.resolve();
      const size = sizes[reads % sizes.length] ?? Infinity;
      reads += 1;
      if (failure && position >= failure.at) throw failure.error;
      const count = Math.min(length, size, end - position);
      target.set(bytes.subarray(position, position + count), offset);
      position += count;
      return count;
    },
    get consumed() {
      return position;
    },
    get closed() {
      return closed;
    },
    get reads() {
      return reads;
    },
    async close() {
      closed += 1;
    },
  };
}
