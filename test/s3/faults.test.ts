// A network between a mapper and S3 that does what networks do: what can pass is tried again from the byte where it
// broke, what cannot is told, and a result is never half of one.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { mapFile } from '@capfleet/mapper/map-file';
import { s3Source } from '@capfleet/shared/source/s3/s3-source';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { readFully } from '@capfleet/shared/capture/byte-reader';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { patterned } from '../support/patterned.ts';
import { captureOf } from '../support/read-capture.ts';
import { endpoint, makeBucket, testOptions, withoutS3, type Bucket } from '../support/s3-bucket.ts';

const SIZE = 1_500_000;

interface Scene {
  readonly bucket: Bucket;
  readonly proxy: FaultProxy;
  readonly source: Source;
  readonly file: SourceFile;
}

async function given(t: TestContext, bytes: Buffer, options: Partial<S3Options> = {}): Promise<Scene> {
  const bucket = await makeBucket(t);
  await bucket.put('file', bytes);
  const proxy = await startFaultProxy(t, endpoint);
  const few = { partSize: 400_000, parallel: 2, stallMs: 1000, attempts: 4 };
  const source = s3Source(testOptions({ endpoint: proxy.url, ...few, ...options }));
  return { bucket, proxy, source, file: await source.stat(`${bucket.path}/file`) };
}

async function readAll({ source, file }: Scene): Promise<Buffer> {
  const reader = await source.open(file);
  try {
    const target = Buffer.alloc(file.size + 1);
    return target.subarray(0, await readFully(reader, target));
  } finally {
    await reader.close();
  }
}

const gets = ({ passed }: FaultProxy): number => passed.filter(({ method }) => method === 'GET').length;

describe('a read from S3 comes through', { skip: withoutS3, concurrency: 2 }, () => {
  const bytes = patterned(SIZE);

  test('connections that are reset in the middle of a body, going on at the byte where each broke', async (t) => {
    const scene = await given(t, bytes);
    scene.proxy.spoil(({ index, method }) =>
      method === 'GET' && index % 2 === 0 ? { kind: 'reset', after: 150_000 } : null,
    );
    assert.ok((await readAll(scene)).equals(bytes));
    const ranges = scene.proxy.passed.flatMap(({ range }) => range ?? []);
    assert.ok(
      ranges.some((range) => !/^bytes=(0|400000|800000|1200000)-/.test(range)),
      ranges.join(' '),
    );
  });

  test('answers of 503 SlowDown and 500, and connections that are refused an answer', async (t) => {
    const scene = await given(t, bytes);
    scene.proxy.spoil(({ index }) => {
      if (index === 0) return { kind: 'answer', status: 503, code: 'SlowDown' };
      if (index === 1) return { kind: 'answer', status: 500, code: 'InternalError' };
      return index === 2 ? { kind: 'hang-up' } : null;
    });
    assert.ok((await readAll(scene)).equals(bytes));
  });

  test('a body that stalls for longer than a read may take', async (t) => {
    const scene = await given(t, bytes);
    scene.proxy.spoil(({ index, method }) =>
      method === 'GET' && index === 0 ? { kind: 'stall', after: 100_000, ms: 60_000 } : null,
    );
    const started = performance.now();
    assert.ok((await readAll(scene)).equals(bytes));
    assert.ok(performance.now() - started < 30_000);
  });

  test('a body that trickles, as long as it goes on', async (t) => {
    const scene = await given(t, bytes.subarray(0, 200_000), { stallMs: 1500 });
    scene.proxy.spoil(() => ({ kind: 'trickle', bytes: 20_000, ms: 200 }));
    assert.ok((await readAll(scene)).equals(bytes.subarray(0, 200_000)));
    assert.equal(gets(scene.proxy), 1, 'slow is not broken');
  });

  test('a body that is shorter than what was asked for', async (t) => {
    const scene = await given(t, bytes);
    scene.proxy.spoil(({ index, method }) =>
      method === 'GET' && index === 1 ? { kind: 'shorter', by: 777 } : null,
    );
    assert.ok((await readAll(scene)).equals(bytes));
  });
});

describe('a read from S3 gives up', { skip: withoutS3, concurrency: 2 }, () => {
  test('after a bounded number of attempts that bring nothing, as something that may pass', async (t) => {
    const scene = await given(t, patterned(1000));
    scene.proxy.spoil(() => ({ kind: 'answer', status: 503, code: 'SlowDown' }));
    await assert.rejects(mapFile(scene.source, scene.file), {
      code: 's3-failed',
      retryable: true,
      message: /SlowDown/,
    });
    assert.equal(gets(scene.proxy), 4);
  });

  test('at once where another attempt cannot help', async (t) => {
    const scene = await given(t, patterned(1000));
    scene.proxy.spoil(() => ({ kind: 'answer', status: 403, code: 'AccessDenied' }));
    const map = await mapFile(scene.source, scene.file);
    assert.ok(map.status === 'failed');
    assert.deepEqual([map.error.code, gets(scene.proxy)], ['s3-denied', 1]);
    assert.match(map.error.message, /AccessDenied/);
  });

  test('when the object is replaced while it is read, rather than mix two', async (t) => {
    const scene = await given(t, captureOf(new Array<number>(1000).fill(1400)));
    const other = captureOf(new Array<number>(1000).fill(1401));
    scene.proxy.spoil(({ index, method }) =>
      method === 'GET' && index === 1
        ? { kind: 'meanwhile', work: () => scene.bucket.put('file', other) }
        : null,
    );
    const map = await mapFile(scene.source, scene.file);
    assert.ok(map.status === 'failed', JSON.stringify(map));
    assert.equal(map.error.code, 'file-changed');
  });

  test('when the object was replaced before it is opened', async (t) => {
    const scene = await given(t, captureOf([60]));
    await scene.bucket.put('file', captureOf([61]));
    const map = await mapFile(scene.source, scene.file);
    assert.ok(map.status === 'failed');
    assert.equal(map.error.code, 'file-changed');
  });
});

test(
  'a quick map reads two small stretches of an object, whatever its size',
  { skip: withoutS3 },
  async (t) => {
    const { quickMap } = await import('@capfleet/mapper/quick-map');
    const { madeCapture } = await import('../support/endless-capture.ts');
    const bucket = await makeBucket(t);
    await bucket.upload('large.pcap', madeCapture(64 * 1024 ** 2).open());
    const proxy = await startFaultProxy(t, endpoint);
    const source = s3Source(testOptions({ endpoint: proxy.url }));
    const file = await source.stat(`${bucket.path}/large.pcap`);
    const map = await quickMap(source, file, { trustSnaplen: true });
    assert.ok(map?.estimated === true);
    let asked = 0;
    for (const { range } of proxy.passed) {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      if (from !== undefined) asked += Number(to) - Number(from) + 1;
    }
    assert.ok(asked > 0 && asked < 340_000, `${asked} bytes`);
  },
);
