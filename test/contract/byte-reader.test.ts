import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fromBytes, prepend } from '@capfleet/shared/capture/byte-reader';
import { gunzip } from '@capfleet/shared/capture/gzip';
import { unlz4 } from '@capfleet/shared/capture/lz4';
import { unxz } from '@capfleet/shared/capture/xz';
import { unzstd } from '@capfleet/shared/capture/zstd';
import { disk } from '@capfleet/shared/source/disk';
import { gzipMember, lz4Frame, xzStream, zstdFrame } from '../support/compress.ts';
import { memoryReader } from '../support/memory-reader.ts';
import { tempDir } from '../support/temp-dir.ts';
import { byteReaderContract } from './suites/byte-reader.ts';

byteReaderContract({
  name: 'disk',
  async open(bytes, t) {
    const path = join(await tempDir(t), 'file');
    await writeFile(path, bytes);
    return { reader: await disk.open(await disk.stat(path)), fileSize: bytes.length };
  },
});

byteReaderContract({
  name: 'disk, from an offset',
  async open(bytes, t) {
    const path = join(await tempDir(t), 'file');
    await writeFile(path, Buffer.concat([Buffer.alloc(777, 0xff), bytes]));
    return { reader: await disk.open(await disk.stat(path), { from: 777 }), fileSize: bytes.length };
  },
});

byteReaderContract({
  name: 'memory, in odd pieces',
  async open(bytes) {
    return { reader: memoryReader(bytes, { chunk: [1, 1000, 77, 65_536] }), fileSize: bytes.length };
  },
});

byteReaderContract({
  name: 'bytes that are there already',
  async open(bytes) {
    return { reader: fromBytes(Buffer.from(bytes)), fileSize: bytes.length };
  },
});

byteReaderContract({
  name: 'a head before the rest',
  async open(bytes) {
    const rest = memoryReader(bytes);
    const head = Buffer.alloc(Math.min(6, bytes.length));
    await rest.read(head, 0, head.length);
    return { reader: prepend(head, rest), fileSize: bytes.length };
  },
});

const parts = (compress: (bytes: Buffer) => Buffer) => (bytes: Buffer) =>
  Buffer.concat(thirds(bytes).map((part) => compress(part)));

for (const [name, compress, open] of [
  ['gzip', gzipMember, gunzip],
  ['gzip of several members', parts(gzipMember), gunzip],
  ['gzip of stored blocks', (bytes: Buffer) => gzipSync(bytes, { level: 0 }), gunzip],
  ['zstd', zstdFrame, unzstd],
  ['zstd of several frames', parts(zstdFrame), unzstd],
  ['lz4', lz4Frame, unlz4],
  ['lz4 of several frames', parts(lz4Frame), unlz4],
  ['xz', xzStream, unxz],
] as const) {
  byteReaderContract({
    name,
    async open(bytes) {
      const compressed = await compress(bytes);
      return {
        reader: await open(memoryReader(compressed, { chunk: 5000 }), 'file'),
        fileSize: compressed.length,
      };
    },
  });
}

function thirds(bytes: Buffer): Buffer[] {
  const third = Math.floor(bytes.length / 3);
  return [bytes.subarray(0, third), bytes.subarray(third, third), bytes.subarray(third)];
}
