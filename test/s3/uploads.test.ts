// Objects that are written in parts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { describe, test } from 'node:test';
import * as sdk from '@aws-sdk/client-s3';
import { s3Sink } from '@capfleet/shared/sink/s3-sink';
import { makeBucket, testOptions, withoutS3 } from '../support/s3-bucket.ts';

describe('an object', { skip: withoutS3 }, () => {
  test('is written in parts where it is large, in their order, and is there whole or not at all', async (t) => {
    const bucket = await makeBucket(t);
    const sink = s3Sink(`${bucket.path}/out`, testOptions());
    const whole = randomBytes(20 * 1024 * 1024 + 1);
    const chunks = Array.from({ length: 21 }, (_, index) => whole.subarray(index << 20, (index + 1) << 20));
    const written = await sink.create('large', { mtime: null, overwrite: false, size: whole.length });
    await pipeline(chunks, written.writable);
    await written.commit();
    const { ContentLength, ETag = '' } = await bucket.client.send(
      new sdk.HeadObjectCommand({ Bucket: bucket.name, Key: 'out/large' }),
    );
    assert.deepEqual([ContentLength, /-3"?$/.test(ETag)], [whole.length, true], 'three parts');
    const { Body } = await bucket.client.send(
      new sdk.GetObjectCommand({ Bucket: bucket.name, Key: 'out/large' }),
    );
    assert.ok(whole.equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0)));

    const given = await sink.create('given up', { mtime: null, overwrite: false, size: whole.length });
    for (const chunk of chunks.slice(0, 18))
      if (!given.writable.write(chunk)) await once(given.writable, 'drain');
    await given.abort();
    const { Uploads = [] } = await bucket.client.send(
      new sdk.ListMultipartUploadsCommand({ Bucket: bucket.name }),
    );
    assert.deepEqual(Uploads, [], 'no part is left');
    await assert.rejects(bucket.get('out/given up'), { name: 'NoSuchKey' });

    const empty = await sink.create('empty', { mtime: null, overwrite: false });
    empty.writable.end();
    await empty.commit();
    assert.equal(await bucket.get('out/empty'), '');
  });
});
