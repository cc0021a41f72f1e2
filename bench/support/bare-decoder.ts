// What a decoder costs without anything behind it: `node bare-decoder.ts gzip|zstd|lz4 FILE` prints the seconds in
// which the same decoder that the mapper uses turns the file into bytes that nobody looks at.
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

const [kind = '', path = ''] = process.argv.slice(2);
const started = performance.now();
let bytes = 0;
const nowhere = new Writable({
  write(chunk: Buffer, _encoding, done) {
    bytes += chunk.length;
    done();
  },
});
const decoder = kind === 'gzip' ? createGunzip() : createZstdDecompress();
await pipeline(createReadStream(path), decoder, nowhere);
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, bytes }));
