// What a decoder costs without anything behind it: `node bare-decoder.ts gzip|zstd|lz4 FILE` prints the seconds in
// which the file becomes bytes that nobody looks at. For gzip and zstd that is Node's own stream; Node has none for
// lz4, so there it is the decoder that the mapper uses, read into one buffer.
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { decompress } from '@capfleet/shared/capture/decompress';
import { disk } from '@capfleet/shared/source/disk';

const BUFFER_BYTES = 1024 * 1024;

async function throughStream(decoder: NodeJS.ReadWriteStream, path: string): Promise<number> {
  let bytes = 0;
  const nowhere = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done();
    },
  });
  await pipeline(createReadStream(path), decoder, nowhere);
  return bytes;
}

async function throughReader(path: string): Promise<number> {
  const { bytes: reader } = await decompress(await disk.open(await disk.stat(path)), path);
  const target = Buffer.allocUnsafe(BUFFER_BYTES);
  let bytes = 0;
  for (;;) {
    const count = await reader.read(target, 0, target.length);
    if (count === 0) break;
    bytes += count;
  }
  await reader.close();
  return bytes;
}

const [kind = '', path = ''] = process.argv.slice(2);
const started = performance.now();
const bytes =
  kind === 'lz4'
    ? await throughReader(path)
    : await throughStream(kind === 'gzip' ? createGunzip() : createZstdDecompress(), path);
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, bytes }));
