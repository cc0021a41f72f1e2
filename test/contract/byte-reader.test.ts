import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fromBytes, prepend } from '@capfleet/shared/capture/byte-reader';
import { gunzip } from '@capfleet/shared/capture/gzip';
import { disk } from '@capfleet/shared/source/disk';
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

for (const [name, compress] of [
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  [
    'gzip of several members',
    (bytes: Buffer) => {
      const third = Math.floor(bytes.length / 3);
      const parts = [bytes.subarray(0, third), bytes.subarray(third, third), bytes.subarray(third)];
      return Buffer.concat(parts.map((part) => gzipSync(part)));
    },
  ],
  ['gzip of stored blocks', (bytes: Buffer) => gzipSync(bytes, { level: 0 })],
] as const) {
  byteReaderContract({
    name,
    async open(bytes) {
      const compressed = compress(bytes);
      return { reader: gunzip(memoryReader(compressed), 'file.gz'), fileSize: compressed.length };
    },
  });
}
