// What becomes of a map when its parts are killed: mappers in the middle of a file, and Redis itself. A map ends
// with the same dump as if nothing had happened.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import { noMeters } from '@capfleet/mapper/meters';
import { startMapper as startMapperHere } from '@capfleet/mapper/worker';
import { readDump } from '@capfleet/shared/dataset/gophercap-json';
import { silentLogger } from '@capfleet/shared/log/logger';
import { lastFirst } from '../support/last-first.ts';
import { longCapture } from '../support/long-capture.ts';
import { memorySource } from '../support/memory-source.ts';
import { viewMapQueue, type MapQueueView } from '../support/map-queue.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { hasTakenSignals } from '../support/processes.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { startCapfleet, startMapper, type Running } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** What a program does once it has started, which takes a while on a busy machine. */
const soon = (what: string, look: () => boolean | Promise<boolean>): Promise<unknown> =>
  waitFor(what, look, { timeout: 30_000 });

const SHORT_LOCK = ['--job-lock', '1s'];
/** Long enough to be caught in the middle, even on a fast machine. */
const LONG = 200;
const SHORTER = 40;

interface Scene {
  readonly redis: RedisServer;
  readonly queue: MapQueueView;
  readonly dump: string;
  /** Packets of the whole set. */
  readonly packets: number;
  /** Starts `capfleet map` of the set. */
  map(): Running;
}

/** A Redis, and a set of so many files that take a mapper some time, and three short ones. */
async function makeScene(
  t: TestContext,
  longFiles: number,
  blocks: number,
  appendOnly = false,
): Promise<Scene> {
  const redis = await startRedis(t, { appendOnly });
  const dir = await tempDir(t);
  const captures = join(dir, 'in');
  await mkdir(captures);
  const { file, packets } = longCapture(blocks);
  for (let number = 0; number < longFiles; number++) {
    await writeFile(join(captures, `long-${number}.pcap.gz`), file);
  }
  const short = {
    'a.pcap.gz': stamps(0, 5, 10),
    'b.pcap.gz': stamps(5, 7, 10),
    'c.pcap.gz': stamps(70, 9, 10),
  };
  await writeNumberedSet(captures, short);
  const dump = join(dir, 'map.json');
  return {
    redis,
    queue: viewMapQueue(t, redis.url),
    dump,
    packets: longFiles * packets + 5 + 7 + 9,
    map: () => startCapfleet(t, ['map', '--redis', redis.url, '--dir-src', captures, '--dump-json', dump]),
  };
}

/** Holds the dump against a map of the same set that nobody disturbed. */
async function assertAsUndisturbed(t: TestContext, { dump, packets }: Scene): Promise<void> {
  const disturbed = await readFile(dump, 'utf8');
  const set = readDump(disturbed, dump);
  assert.equal(
    set.files.reduce((sum, { map }) => sum + map.packets, 0),
    packets,
  );
  const folder = join(dump, '../in');
  const again = startCapfleet(t, [
    'map',
    '--dir-src',
    folder,
    '--dump-json',
    `${dump}.2`,
    '--file-workers',
    '1',
  ]);
  assert.equal((await again.ended).code, 0, again.output.stderr);
  assert.equal(disturbed, await readFile(`${dump}.2`, 'utf8'));
}

describe('a map survives', { concurrency: 4 }, () => {
  test('a mapper killed in the middle of a file: another takes the file up, and nothing counts twice', async (t) => {
    const scene = await makeScene(t, 1, LONG);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 4);
    const first = await startMapper(t, scene.redis.url, SHORT_LOCK);
    await soon('the first is in the middle of the long file', () => scene.queue.inTheMiddle());
    first.signal('SIGSTOP');
    const second = await startMapper(t, scene.redis.url, SHORT_LOCK);
    first.signal('SIGKILL');
    assert.equal((await map.ended).code, 0, map.output.stderr);
    assert.match(second.output.stderr, /long-0\.pcap\.gz.*"mapped"/, 'the second mapped the long file');
    assert.doesNotMatch(first.output.stderr, /long-0\.pcap\.gz.*"mapped"/);
    await assertAsUndisturbed(t, scene);
  });

  test('the death of all mappers: it waits, and a new mapper finishes it', async (t) => {
    const scene = await makeScene(t, 2, LONG);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 5);
    const mappers = [
      await startMapper(t, scene.redis.url, SHORT_LOCK),
      await startMapper(t, scene.redis.url, SHORT_LOCK),
    ];
    await soon('one is in the middle of a file', () => scene.queue.inTheMiddle());
    for (const mapper of mappers) mapper.signal('SIGKILL');
    for (const mapper of mappers) await mapper.ended;
    const left = (await scene.queue.active()) + (await scene.queue.waiting());
    assert.ok(left > 0, 'there is something left to do');
    assert.ok(map.isRunning());
    await startMapper(t, scene.redis.url, SHORT_LOCK);
    assert.equal((await map.ended).code, 0, map.output.stderr);
    await assertAsUndisturbed(t, scene);
  });

  test('a Redis that is killed between two jobs and comes back with what it had', async (t) => {
    const scene = await makeScene(t, 2, SHORTER, true);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 5);
    const mapper = await startMapper(t, scene.redis.url, SHORT_LOCK);
    await soon('a first file is mapped', () => mapper.output.stderr.includes('"mapped"'));
    await scene.redis.kill();
    assert.ok(map.isRunning());
    await scene.redis.start();
    assert.equal((await map.ended).code, 0, map.output.stderr);
    await assertAsUndisturbed(t, scene);
  });

  test('a Redis that comes back without its jobs', async (t) => {
    const scene = await makeScene(t, 2, SHORTER);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 5);
    const mapper = await startMapper(t, scene.redis.url, SHORT_LOCK);
    await soon('a first file is mapped', () => mapper.output.stderr.includes('"mapped"'));
    await scene.redis.kill();
    await scene.redis.start();
    const ended = await Promise.race([map.ended, waitForNoEnd(t, 20_000)]);
    assert.notEqual(ended, null, 'it must not wait for jobs that nobody has');
    assert.equal(ended?.code, 0, map.output.stderr);
    await assertAsUndisturbed(t, scene);
  });
});

/** Null when the time has passed. */
async function waitForNoEnd(t: TestContext, milliseconds: number): Promise<null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(null);
    }, milliseconds);
    t.after(() => {
      clearTimeout(timer);
    });
  });
}

describe('a mapper that is told to end', { concurrency: 2 }, () => {
  test('finishes its file first', async (t) => {
    const scene = await makeScene(t, 1, LONG);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 4);
    const mapper = await startMapper(t, scene.redis.url);
    await soon('it is in the middle of the long file', () => scene.queue.inTheMiddle());
    mapper.signal('SIGTERM');
    assert.deepEqual((await mapper.ended).code, 0);
    assert.match(mapper.output.stderr, /long-0\.pcap\.gz.*"mapped"/);
    assert.equal(await scene.queue.active(), 0, 'nothing is left half done');
    await startMapper(t, scene.redis.url);
    assert.equal((await map.ended).code, 0, map.output.stderr);
    await assertAsUndisturbed(t, scene);
  });

  test('hands back what it cannot finish in time: another has it at once, and no attempt is lost', async (t) => {
    const scene = await makeScene(t, 2, LONG);
    const map = scene.map();
    await soon('all jobs wait', async () => (await scene.queue.waiting()) === 5);
    const first = await startMapper(t, scene.redis.url, ['--grace', '0s']);
    const second = await startMapper(t, scene.redis.url, ['--grace', '10ms']);
    await soon('they are in the middle of a file', () => scene.queue.inTheMiddle());
    for (const mapper of [first, second]) mapper.signal('SIGTERM');
    for (const mapper of [first, second]) assert.equal((await mapper.ended).code, 0, mapper.output.stderr);
    const said = first.output.stderr + second.output.stderr;
    assert.match(said, /long-\d\.pcap\.gz.*"handed back"/);
    assert.doesNotMatch(said, /attempt failed/);
    assert.equal(await scene.queue.active(), 0, 'nothing is left half done');
    const handedBack = await scene.queue.waiting();
    assert.ok(handedBack > 0);
    const third = await startMapper(t, scene.redis.url);
    assert.equal((await map.ended).code, 0, map.output.stderr);
    assert.doesNotMatch(third.output.stderr, /left a job behind/);
    assert.equal(third.output.stderr.match(/"mapped"/g)?.length, handedBack, 'each once');
    await assertAsUndisturbed(t, scene);
  });

  test('does not wait for a read that never comes', async (context) => {
    const t = lastFirst(context);
    const redis = await startRedis(t);
    const log = silentLogger();
    const jobs = bullmqMapJobs(redis.url, { request: 'r', quick: false, splitSize: null }, log);
    t.after(() => jobs.close(true));
    const file = { path: '/nowhere/a.pcap', name: 'a.pcap', size: 1, version: '1' };
    await jobs.add([file]);
    const never = new Promise<never>(() => undefined);
    let opened = false;
    const open = (): Promise<never> => {
      opened = true;
      return never;
    };
    const source = { ...memorySource(), open };
    const queue = viewMapQueue(t, redis.url);
    const mapper = await startMapperHere({
      ...{ redis: redis.url, source, roots: ['/'], concurrency: 1 },
      ...{ graceMs: 100, meters: noMeters, log },
    });
    await soon('it reads', () => opened);
    assert.deepEqual([await queue.waiting(), await queue.active()], [0, 1]);
    await mapper.close();
    assert.deepEqual([await queue.waiting(), await queue.active()], [1, 0]);
  });

  test('ends at once when told twice, although its Redis is away', async (t) => {
    const redis = await startRedis(t);
    const mapper = await startMapper(t, redis.url);
    await redis.kill();
    mapper.signal('SIGTERM');
    await soon('the first is taken', () => hasTakenSignals(mapper.pid));
    mapper.signal('SIGTERM');
    // 0 where it had ended in order before the second came.
    assert.ok([0, 130].includes((await mapper.ended).code ?? -1));
  });
});
