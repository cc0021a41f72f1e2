// S3 keeps what every source and every reader of bytes promises. The suites are those of the other adapters.
import { describe } from 'node:test';
import { s3Source } from '@capfleet/shared/source/s3/s3-source';
import { byteReaderContract } from '../contract/suites/byte-reader.ts';
import { sourceContract } from '../contract/suites/source.ts';
import { makeBucket, testOptions, withoutS3 } from '../support/s3-bucket.ts';

describe('S3', { skip: withoutS3 }, () => {
  sourceContract({
    name: 'S3',
    // An ETag: the MD5 sum, or what the server takes for one.
    version: /^[\w-]+$/,
    async open(files, t) {
      const bucket = await makeBucket(t);
      const put = (name: string, bytes: Buffer): Promise<void> => bucket.put(`set/${name}`, bytes);
      for (const [name, bytes] of Object.entries(files)) await put(name, bytes);
      return { source: s3Source(testOptions()), folder: `${bucket.path}/set`, put };
    },
  });

  // The smallest parts, so that a reader has many of them to put together.
  for (const parallel of [1, 3]) {
    byteReaderContract({
      name: `S3, ${parallel} parts at once`,
      async open(bytes, t) {
        const bucket = await makeBucket(t);
        await bucket.put('file', bytes);
        const source = s3Source(testOptions({ partSize: 100_003, parallel }));
        const reader = await source.open(await source.stat(`${bucket.path}/file`));
        t.after(() => reader.close());
        return { reader, fileSize: bytes.length };
      },
    });
  }
});
