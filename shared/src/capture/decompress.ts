// Which compression a file has, by its first bytes, and what it holds without it. Codecs that come from libraries are
// loaded when a file needs them.
import { prepend, type ByteReader } from './byte-reader.ts';
import { bunzip2, isBzip2 } from './bzip2.ts';
import { gunzip, isGzip } from './gzip.ts';
import { isLz4, unlz4 } from './lz4.ts';
import { isSkippable, SKIPPABLE_HEADER_BYTES } from './skippable-frame.ts';
import { isXz, unxz } from './xz.ts';
import { isZstd, unzstd } from './zstd.ts';

export const compressions = ['none', 'gzip', 'zstd', 'lz4', 'xz', 'bzip2'] as const;
export type Compression = (typeof compressions)[number];

interface Codec {
  readonly name: Compression;
  /** Whether a file that begins with these bytes is of this kind. */
  readonly is: (head: Buffer) => boolean;
  readonly open: (compressed: ByteReader, path: string) => ByteReader | Promise<ByteReader>;
}

const codecs: readonly Codec[] = [
  { name: 'gzip', is: isGzip, open: gunzip },
  { name: 'zstd', is: isZstd, open: unzstd },
  { name: 'lz4', is: isLz4, open: unlz4 },
  { name: 'xz', is: isXz, open: unxz },
  { name: 'bzip2', is: isBzip2, open: bunzip2 },
];

/** Bytes that tell every compression apart. */
const MAGIC_BYTES = SKIPPABLE_HEADER_BYTES;
/** Read at first, so that a small file takes one read. */
const HEAD_BYTES = 16 * 1024;
/** Frames without data that a file may begin with. */
const MOST_SKIPPED = 16;

export interface Decompressed {
  readonly compression: Compression;
  /** The plain bytes; closed, it closes the file. */
  readonly bytes: ByteReader;
}

/** @param bytes the file from its start */
export async function decompress(bytes: ByteReader, path: string): Promise<Decompressed> {
  let { head, whole } = await peekHead(bytes);
  // Zstd and lz4 share the frames without data; the first one with data tells which of them it is.
  for (let frames = 0; frames < MOST_SKIPPED && isSkippable(head); frames += 1) {
    if (head.length < SKIPPABLE_HEADER_BYTES) break;
    await discard(whole, SKIPPABLE_HEADER_BYTES + head.readUInt32LE(4));
    ({ head, whole } = await peekHead(whole));
  }
  const codec = codecs.find(({ is }) => is(head));
  if (!codec) return { compression: 'none', bytes: whole };
  return { compression: codec.name, bytes: await codec.open(whole, path) };
}

/** The next bytes, enough to tell what they are, and a reader that still gives them. */
async function peekHead(bytes: ByteReader): Promise<{ head: Buffer; whole: ByteReader }> {
  const buffer = Buffer.allocUnsafeSlow(HEAD_BYTES);
  let filled = 0;
  while (filled < MAGIC_BYTES) {
    const count = await bytes.read(buffer, filled, HEAD_BYTES - filled);
    if (count === 0) break;
    filled += count;
  }
  const head = buffer.subarray(0, filled);
  return { head, whole: prepend(head, bytes) };
}

async function discard(bytes: ByteReader, length: number): Promise<void> {
  const target = Buffer.allocUnsafeSlow(HEAD_BYTES);
  for (let left = length; left > 0;) {
    const count = await bytes.read(target, 0, Math.min(left, target.length));
    if (count === 0) return;
    left -= count;
  }
}
