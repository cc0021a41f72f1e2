/**
 * Compresses test data. zstd and gzip by Node; lz4 and bzip2 here, in the plainest way their formats allow; xz by the
 * library. So that a test needs no program of the host.
 */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { compressSync } from 'lz4-napi';
import lzma from 'lzma-native';
import createHashes from 'xxhash-wasm';

const hashes = await createHashes();

export interface Lz4Options {
  /** Code of the largest block: 4 is 64 KiB, 7 is 4 MiB. */
  blockCode?: 4 | 5 | 6 | 7;
  dependent?: boolean;
  blockChecksums?: boolean;
  contentChecksum?: boolean;
  contentSize?: boolean;
  /** Blocks are stored as they are. */
  stored?: boolean;
}

/** One frame of lz4. */
export function lz4Frame(bytes: Buffer, options: Lz4Options = {}): Buffer {
  const {
    blockCode = 4,
    dependent = false,
    blockChecksums = false,
    contentChecksum = true,
    stored,
  } = options;
  const flags =
    0x40 |
    (dependent ? 0 : 0x20) |
    (blockChecksums ? 0x10 : 0) |
    (options.contentSize ? 8 : 0) |
    (contentChecksum ? 4 : 0);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(bytes.length));
  const descriptor = Buffer.concat([
    Buffer.from([flags, blockCode << 4]),
    options.contentSize ? size : Buffer.alloc(0),
  ]);
  const parts = [uint32(0x184d2204), descriptor, Buffer.from([(hashes.h32Raw(descriptor) >> 8) & 0xff])];
  const most = 2 ** (8 + 2 * blockCode);
  for (let at = 0; at < bytes.length; at += most) {
    const plain = bytes.subarray(at, at + most);
    const history = dependent ? bytes.subarray(Math.max(0, at - 65_536), at) : Buffer.alloc(0);
    const packed = compressSync(plain, history).subarray(4);
    const raw = stored === true || packed.length >= plain.length;
    const block = raw ? plain : packed;
    parts.push(uint32(raw ? (block.length | 0x8000_0000) >>> 0 : block.length), block);
    if (blockChecksums) parts.push(uint32(hashes.h32Raw(block)));
  }
  parts.push(uint32(0));
  if (contentChecksum) parts.push(uint32(hashes.h32Raw(bytes)));
  return Buffer.concat(parts);
}

/** A frame without data that zstd and lz4 readers pass over. */
export function skippableFrame(content: Buffer, kind = 0): Buffer {
  return Buffer.concat([uint32(0x184d2a50 + kind), uint32(content.length), content]);
}

export function xzStream(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    lzma.compress(bytes, { preset: 1 }, resolve);
  });
}

export function zstdFrame(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

export function gzipMember(bytes: Buffer): Buffer {
  return gzipSync(bytes);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
