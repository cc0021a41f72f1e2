// What S3 itself may answer: thousands of keys, keys of every kind, an object of a gibibyte, and refusals.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { mapFile } from '@capfleet/mapper/map-file';
import { s3Source } from '@capfleet/shared/source/s3/s3-source';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { madeCapture } from '../support/endless-capture.ts';
import { makeBucket, testOptions, withoutS3, type Bucket } from '../support/s3-bucket.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { captureOf } from '../support/read-capture.ts';
import { endpoint } from '../support/s3-bucket.ts';

const everything = { suffix: '', pattern: null };

async function listed(source: Source, where: string, filter = everything): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const file of source.list(where, filter)) files.push(file);
  return files;
}

async function fill(bucket: Bucket, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += 32) {
    await Promise.all(keys.slice(start, start + 32).map((key) => bucket.put(key, 'x')));
  }
}

describe('objects in S3', { skip: withoutS3 }, () => {
  test('are listed by the thousand, page by page, while they are taken', async (t) => {
    const bucket = await makeBucket(t);
    const keys = Array.from(
      { length: 2500 },
      (_, i) => `set/${String(i % 7)}/cap-${String(i).padStart(5, '0')}`,
    );
    await fill(bucket, [...keys, 'other/one']);
    const proxy = await startFaultProxy(t, endpoint);
    const source = s3Source(testOptions({ endpoint: proxy.url }));
    const found = new Set<string>();
    const asked: number[] = [];
    for await (const { path } of source.list(`${bucket.path}/set`, everything)) {
      found.add(path);
      asked.push(proxy.passed.length);
    }
    assert.deepEqual([...found].sort(), keys.map((key) => `${bucket.path}/${key}`).sort());
    assert.equal(proxy.passed.length, 3, 'three pages of a thousand');
    assert.deepEqual(
      [asked[0], asked[999]],
      [1, 1],
      'the second page is asked for when the first is used up',
    );
  });

  test('have keys with spaces, signs and letters of any script, and are read by them', async (t) => {
    const bucket = await makeBucket(t);
    const keys = [
      'a b.pcap',
      'a+b.pcap',
      '100%.pcap',
      '%20.pcap',
      '12:30:00.pcap',
      'ä–日本.pcap',
      'q?a=b#c&d.pcap',
      "it's (1).pcap",
    ];
    for (const [index, key] of keys.entries()) await bucket.put(`odd keys+/${key}`, captureOf([60 + index]));
    const source = s3Source(testOptions());
    const files = await listed(source, `${bucket.path}/odd keys+`);
    assert.deepEqual(files.map(({ name }) => name).sort(), [...keys].sort());
    for (const file of files) {
      assert.deepEqual(await source.stat(file.path), { ...file, name: file.name });
      const map = await mapFile(source, file);
      assert.ok(map.status === 'ok', JSON.stringify(map));
      assert.equal(map.maxCaptured, 60 + keys.indexOf(file.name));
    }
  });

  test('of a gibibyte are read in parts side by side, in bounded memory', async (t) => {
    const bucket = await makeBucket(t);
    const made = madeCapture(1024 ** 3);
    await bucket.upload('large.pcap', made.open());
    const source = s3Source(testOptions());
    const file = await source.stat(`${bucket.path}/large.pcap`);
    assert.equal(file.size, made.size);
    let peak = 0;
    const before = process.memoryUsage().rss;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss - before)), 20);
    const map = await mapFile(source, file);
    clearInterval(watch);
    assert.ok(map.status === 'ok');
    assert.equal(map.packets, made.packets);
    // Four parts of 8 MiB, the windows, and what the client holds of answers.
    assert.ok(peak < 200 * 1024 ** 2, `${Math.round(peak / 1024 ** 2)} MiB more`);
  });

  test('are read with one request where they are small', async (t) => {
    const bucket = await makeBucket(t);
    await bucket.put('small.pcap', captureOf([60, 60]));
    const proxy = await startFaultProxy(t, endpoint);
    const source = s3Source(testOptions({ endpoint: proxy.url }));
    const [file] = await listed(source, bucket.path);
    assert.equal((await mapFile(source, file!)).status, 'ok');
    assert.equal(proxy.passed.filter(({ method }) => method === 'GET').length, 2, 'the list, and the object');
  });
});

/** What a map says of a file that cannot be read, and how often it was asked for. */
async function refusal(
  t: TestContext,
  path: string,
  env: Record<string, string> = {},
): Promise<{ code: string; message: string }> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  t.after(() => Object.assign(process.env, before));
  const source = s3Source(testOptions());
  const map = await mapFile(source, { path, name: 'x', size: 100, version: 'abc' });
  assert.ok(map.status === 'failed');
  return map.error;
}

describe('S3 refuses', { skip: withoutS3 }, () => {
  test('a bucket that is not there, by its name', async (t) => {
    const { code, message } = await refusal(t, 's3://no-such-bucket-of-ours/x.pcap');
    assert.equal(code, 's3-bucket-missing');
    assert.match(message, /no-such-bucket-of-ours.* \(NoSuchBucket\)$/);
    await assert.rejects(listed(s3Source(testOptions()), 's3://no-such-bucket-of-ours/x'), {
      code: 's3-bucket-missing',
    });
  });

  test('an object that is not there, and a prefix without one', async (t) => {
    const bucket = await makeBucket(t);
    const { code, message } = await refusal(t, `${bucket.path}/gone.pcap`);
    assert.equal(code, 'file-missing');
    assert.match(message, /gone\.pcap \((NoSuchKey|NotFound)\)$/);
    await assert.rejects(listed(s3Source(testOptions()), `${bucket.path}/gone`), { code: 'folder-missing' });
  });

  test('who has the wrong secret, and who is not known, with its own code', async (t) => {
    const bucket = await makeBucket(t);
    await bucket.put('a.pcap', captureOf([60]));
    const wrong = await refusal(t, `${bucket.path}/a.pcap`, { AWS_SECRET_ACCESS_KEY: 'wrong' });
    assert.equal(wrong.code, 's3-denied');
    assert.match(wrong.message, /SignatureDoesNotMatch|AccessDenied/);
    const stranger = await refusal(t, `${bucket.path}/a.pcap`, { AWS_ACCESS_KEY_ID: 'STRANGER' });
    assert.equal(stranger.code, 's3-denied');
    assert.match(stranger.message, /InvalidAccessKeyId|AccessDenied/);
  });

  test('a path that names no bucket', async (t) => {
    assert.equal((await refusal(t, 's3://')).code, 's3-path-invalid');
  });
});
