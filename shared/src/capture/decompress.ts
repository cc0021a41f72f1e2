// Which compression a file has, by its first bytes, and what it holds without it.
import { prepend, readFully, type ByteReader } from './byte-reader.ts';
import { gunzip, isGzip } from './gzip.ts';

export const compressions = ['none', 'gzip', 'zstd', 'lz4', 'xz', 'bzip2'] as const;
export type Compression = (typeof compressions)[number];

/** Bytes that tell every compression apart. */
const MAGIC_BYTES = 6;

export interface Decompressed {
  readonly compression: Compression;
  /** The plain bytes; closed, it closes the file. */
  readonly bytes: ByteReader;
}

/** @param bytes the file from its start */
export async function decompress(bytes: ByteReader, path: string): Promise<Decompressed> {
  const head = Buffer.alloc(MAGIC_BYTES);
  const start = head.subarray(0, await readFully(bytes, head));
  const whole = prepend(start, bytes);
  if (isGzip(start)) return { compression: 'gzip', bytes: gunzip(whole, path) };
  return { compression: 'none', bytes: whole };
}
