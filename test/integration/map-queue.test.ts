// The map queue with real mapper processes over a real Redis: what is enqueued, what comes back, what is tried
// again, and what a mapper refuses.
import assert from 'node:assert/strict';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import type { MapJobs } from '@capfleet/coordinator/ports/map-jobs';
import { mapResultsKey } from '@capfleet/shared/contract/keys';
import { connect } from '@capfleet/shared/redis/connect';
import { MAP_ATTEMPTS } from '@capfleet/shared/contract/map-job';
import type { FileMap, MappedFile } from '@capfleet/shared/dataset/file-map';
import { silentLogger } from '@capfleet/shared/log/logger';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import { listed, viewMapQueue, type MapQueueView } from '../support/map-queue.ts';
import { stamps, writeNumberedSet, type SetShape } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { startMapper } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

interface Scene {
  readonly redis: string;
  readonly queue: MapQueueView;
  readonly jobs: MapJobs;
  /** Folder of the captures, the only one that the mappers may read. */
  readonly root: string;
  /** Outside of it. */
  readonly elsewhere: string;
}

const REQUEST = 'request-1';

async function makeScene(t: TestContext, shape: SetShape = {}): Promise<Scene> {
  const after = lastFirst(t);
  const { url } = await startRedis(after);
  const dir = await tempDir(after);
  const root = join(dir, 'root');
  const elsewhere = join(dir, 'elsewhere');
  await mkdir(root);
  await mkdir(elsewhere);
  await writeNumberedSet(root, shape);
  const jobs = bullmqMapJobs(url, { request: REQUEST, quick: false, splitSize: null }, silentLogger());
  const closeJobs = jobs.close;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= closeJobs(false));
  after.after(close);
  return {
    redis: url,
    queue: viewMapQueue(after, url),
    jobs: Object.assign(jobs, { close }),
    root,
    elsewhere,
  };
}

/** Takes results until there are so many, then once more, so that one too many is seen as well. */
async function take(jobs: MapJobs, count: number): Promise<FileMap[]> {
  const maps: FileMap[] = [];
  const more = async (): Promise<FileMap[]> => (await jobs.take()).map(({ map }) => map);
  await waitFor(
    `${count} results`,
    async () => {
      maps.push(...(await more()));
      return maps.length >= count;
    },
    { timeout: 20_000 },
  );
  return [...maps, ...(await more())];
}

const logged = (stderr: string, text: string): number => stderr.split(text).length - 1;

const valid = (root: string): object => ({
  v: 2,
  request: REQUEST,
  task: { do: 'map', quick: false },
  file: { path: join(root, 'good.pcap'), name: 'good.pcap', size: 1, version: '1' },
});

/** What somebody might put into the queue; each takes the place of a sound job's data. */
const misfits: Record<string, (root: string) => unknown> = {
  'an unknown version': (root) => ({ ...valid(root), v: 3 }),
  'no file': () => ({ v: 2, request: REQUEST, task: { do: 'map', quick: false } }),
  nothing: () => null,
  'a list': () => [1, 2, 3],
  'a text': () => 'map it',
  'a field too many': (root) => ({ ...valid(root), command: 'rm -rf' }),
  'a request that is no name': (root) => ({ ...valid(root), request: '../../x' }),
  'a path as long as a book': (root) => ({
    ...valid(root),
    file: { path: `/${'a/'.repeat(5000)}`, name: 'a', size: 1, version: '1' },
  }),
  'a path that is a number': (root) => ({
    ...valid(root),
    file: { path: 7, name: 'a', size: 1, version: '1' },
  }),
  'a negative size': (root) => ({
    ...valid(root),
    file: { path: join(root, 'good.pcap'), name: 'a', size: -1, version: '1' },
  }),
  'an endless time': (root) => ({
    ...valid(root),
    file: { path: join(root, 'good.pcap'), name: 'a', size: 1, version: '9'.repeat(300) },
  }),
};

describe('the map queue', { concurrency: 4 }, () => {
  test('has one job per file, however often the files are added', async (t) => {
    const { queue, jobs, root } = await makeScene(t, { 'a.pcap': [0], 'b.pcap': [1], 'c.pcap': [2] });
    const files = await Promise.all(
      ['a.pcap', 'b.pcap', 'c.pcap'].map((name) => listed(join(root, name), REQUEST)),
    );
    await jobs.add(files.map(({ file }) => file));
    await jobs.add(files.slice(1).map(({ file }) => file));
    assert.deepEqual(await queue.jobs(), files.map(({ job }) => job).sort());
    assert.equal(await queue.waiting(), 3);
  });

  test('gives what came before a coordinator that took the request up had listed the file', async (t) => {
    const scene = await makeScene(t, { 'a.pcap': [0, 1], 'b.pcap': [2] });
    const names = ['a.pcap', 'b.pcap'].map((name) => join(scene.root, name));
    const files = (await Promise.all(names.map((name) => listed(name, REQUEST)))).map(({ file }) => file);
    await scene.jobs.add(files);
    const mapper = await startMapper(t, scene.redis, ['--root', scene.root]);
    await waitFor('the jobs to be done', async () => (await scene.queue.jobs()).length === 0);
    process.kill(mapper.pid, 'SIGTERM');
    await mapper.ended;
    const options = { request: REQUEST, quick: false, splitSize: null };
    const again = bullmqMapJobs(scene.redis, options, silentLogger());
    try {
      assert.deepEqual(await again.take(), []);
      await again.add(files);
      assert.equal(again.open, 2);
      assert.deepEqual(
        (await take(again, 2)).map(({ status }) => status),
        ['ok', 'ok'],
      );
      assert.equal(again.open, 0);
    } finally {
      await again.close(false);
    }
  });

  test('ends a file whose answer is none that it reads, instead of asking for it for ever', async (t) => {
    const { redis, jobs, root } = await makeScene(t, { 'a.pcap': [0] });
    const { file, job } = await listed(join(root, 'a.pcap'), REQUEST);
    await jobs.add([file]);
    const client = connect(redis, 'test', silentLogger());
    const answer = { job, map: { path: file.path, status: 'ok', wireBytes: 2 ** 60 } };
    await client.xadd(mapResultsKey(REQUEST), '*', 'answer', JSON.stringify(answer));
    client.disconnect();
    const [map] = await take(jobs, 1);
    assert.equal(map?.status === 'failed' && map.error.code, 'result-invalid');
    assert.equal(jobs.open, 0);
  });

  test('counts the jobs of a file that is mapped in parts', async (t) => {
    const { redis, root } = await makeScene(t, { 'a.pcap': [0] });
    const { file } = await listed(join(root, 'a.pcap'), REQUEST);
    const options = { request: 'request-2', quick: false, splitSize: 40 };
    const jobs = bullmqMapJobs(redis, options, silentLogger());
    try {
      const expected = Math.ceil(file.size / 40) + 1;
      assert.equal(jobs.jobsOf(file), expected);
      await jobs.add([file]);
      await jobs.add([file]);
      assert.equal(jobs.open, expected);
    } finally {
      await jobs.close(false);
    }
  });

  test('is left empty when a request is closed before a mapper came', async (t) => {
    const { queue, jobs, root } = await makeScene(t, { 'a.pcap': [0], 'b.pcap': [1] });
    for (const name of ['a.pcap', 'b.pcap']) await jobs.add([(await listed(join(root, name), REQUEST)).file]);
    assert.equal(await queue.waiting(), 2);
    await jobs.close(false);
    assert.deepEqual(await queue.jobs(), []);
    assert.equal(await queue.waiting(), 0);
  });

  test('gives every file back once', async (t) => {
    const { redis, queue, jobs, root } = await makeScene(t, { 'a.pcap': stamps(0, 4, 10), 'b.pcap': [] });
    await startMapper(t, redis, ['--root', root]);
    for (const name of ['a.pcap', 'b.pcap']) await jobs.add([(await listed(join(root, name), REQUEST)).file]);
    const maps = await take(jobs, 2);
    assert.deepEqual(maps.map(({ name, status }) => [name, status]).sort(), [
      ['a.pcap', 'ok'],
      ['b.pcap', 'ok'],
    ]);
    await waitFor('the queue is empty', async () => (await queue.jobs()).length === 0);
  });

  test('tries a read that failed again, with growing pauses, until it succeeds or is given up', async (t) => {
    const { redis, queue, jobs, root, elsewhere } = await makeScene(t);
    // Reading a folder fails with EISDIR. One of them becomes the capture that was listed, the other stays.
    await writeNumberedSet(elsewhere, { 'healed.pcap': stamps(0, 4, 10) });
    const healed = await listed(join(elsewhere, 'healed.pcap'), REQUEST);
    const path = join(root, 'healed.pcap');
    await mkdir(join(root, 'folder.pcap'));
    await symlink(join(root, 'folder.pcap'), path);
    const folder = await listed(join(root, 'folder.pcap'), REQUEST);
    const job = (await listed(path, REQUEST)).job;
    const mapper = await startMapper(t, redis, ['--root', root]);
    const began = performance.now();
    await jobs.add([{ ...healed.file, path }, folder.file]);

    await waitFor('a second attempt', async () => ((await queue.attempts(job)) ?? 0) >= 2, {
      timeout: 10_000,
    });
    await rename(healed.file.path, path);
    const maps = await take(jobs, 2);
    const lasted = performance.now() - began;
    assert.deepEqual(
      maps
        .map((map) => [map.name, map.status === 'failed' ? map.error.code : (map as MappedFile).packets])
        .sort(),
      [
        ['folder.pcap', 'read-failed'],
        ['healed.pcap', 4],
      ],
    );
    const failed = maps.find(({ status }) => status === 'failed');
    assert.match(failed?.status === 'failed' ? failed.error.message : '', /folder\.pcap failed: .*EISDIR/);
    assert.equal(logged(mapper.output.stderr, `"job":"${folder.job}","attempt"`), MAP_ATTEMPTS - 1);
    // Half of 500 ms, 1 s, 2 s and 4 s is the least that jitter leaves of the pauses.
    assert.ok(lasted > 3700, `pauses grow: ${lasted} ms`);
  });

  test('does not try again what cannot get better', async (t) => {
    const { redis, queue, jobs, root } = await makeScene(t);
    await writeFile(join(root, 'text.pcap'), 'this is no capture, and will not become one');
    const { file, job } = await listed(join(root, 'text.pcap'), REQUEST);
    const gone = { ...file, path: join(root, 'gone.pcap'), name: 'gone.pcap' };
    const mapper = await startMapper(t, redis, ['--root', root]);
    await jobs.add([file, gone]);
    const maps = await take(jobs, 2);
    assert.deepEqual(maps.map((map) => (map.status === 'failed' ? map.error.code : map.status)).sort(), [
      'capture-unknown',
      'file-missing',
    ]);
    assert.equal(logged(mapper.output.stderr, 'attempt failed'), 0);
    assert.equal(await queue.attempts(job), null, 'the job is done and gone');
  });

  test('says of a file that was replaced after it was listed that it changed', async (t) => {
    const { redis, jobs, root } = await makeScene(t, { 'a.pcap': stamps(0, 4, 10) });
    const { file } = await listed(join(root, 'a.pcap'), REQUEST);
    await writeNumberedSet(root, { 'a.pcap': stamps(0, 5, 10) });
    await startMapper(t, redis, ['--root', root]);
    await jobs.add([file]);
    const [map] = await take(jobs, 1);
    assert.equal(map?.status === 'failed' ? map.error.code : map?.status, 'file-changed');
  });

  test('lets a mapper refuse jobs that do not fit their schema, say so, and live on', async (t) => {
    const { redis, queue, jobs, root } = await makeScene(t, { 'good.pcap': stamps(0, 4, 10) });
    const good = await listed(join(root, 'good.pcap'), REQUEST);
    const hostile: string[] = [];
    for (const [number, payload] of Object.values(misfits).entries()) {
      const file = { ...good.file, path: join(root, `hostile-${number}`) };
      await jobs.add([file]);
      const { job } = { job: (await queue.jobs()).find((id) => !hostile.includes(id)) ?? '' };
      hostile.push(job);
      await queue.replaceData(job, JSON.stringify(payload(root)));
    }
    await jobs.add([good.file]);
    const mapper = await startMapper(t, redis, ['--root', root]);
    const maps = await take(jobs, hostile.length + 1);
    assert.equal(maps.filter(({ status }) => status === 'ok').length, 1, 'the sound job is done');
    assert.equal(maps.length, hostile.length + 1, 'who added the others hears of each once');
    const refusals = mapper.output.stderr.match(/"level":50.*refused a job that does not fit its schema/g);
    assert.equal(refusals?.length, hostile.length);
    assert.ok(mapper.isRunning());
    assert.deepEqual(await queue.jobs(), []);
  });

  test('lets a mapper read nothing outside its folders, by whatever way a path leads there', async (t) => {
    const { redis, jobs, root, elsewhere } = await makeScene(t, { 'good.pcap': stamps(0, 4, 10) });
    await writeNumberedSet(elsewhere, { 'secret.pcap': stamps(0, 4, 10) });
    const secret = join(elsewhere, 'secret.pcap');
    await symlink(secret, join(root, 'link.pcap'));
    await symlink(elsewhere, join(root, 'folder'));
    // A folder whose name only begins like the root's.
    await writeNumberedSet(`${root}-too`, { 'secret.pcap': stamps(0, 4, 10) });
    const { file } = await listed(secret, REQUEST);
    const paths = [
      secret,
      `${root}/../elsewhere/secret.pcap`,
      join(root, 'link.pcap'),
      join(root, 'folder/secret.pcap'),
      `${root}-too/secret.pcap`,
      '/etc/passwd',
      '/dev/zero',
    ];
    const mapper = await startMapper(t, redis, ['--root', root]);
    await jobs.add(paths.map((path) => ({ ...file, path })));
    const maps = await take(jobs, paths.length);
    assert.deepEqual(
      maps.map((map) => [map.path, map.status === 'failed' ? map.error.code : map.status]).sort(),
      paths.map((path) => [path, 'file-outside-roots']).sort(),
    );
    assert.equal(logged(mapper.output.stderr, 'refused a path outside the roots'), paths.length);
    await jobs.add([(await listed(join(root, 'good.pcap'), REQUEST)).file]);
    assert.equal((await take(jobs, 1))[0]?.status, 'ok');
  });

  test('lets a mapper read from each of several folders', async (t) => {
    const { redis, jobs, root, elsewhere } = await makeScene(t, { 'a.pcap': [0] });
    await writeNumberedSet(elsewhere, { 'b.pcap': [1] });
    await startMapper(t, redis, ['--root', root, elsewhere]);
    for (const path of [join(root, 'a.pcap'), join(elsewhere, 'b.pcap')]) {
      await jobs.add([(await listed(path, REQUEST)).file]);
    }
    assert.deepEqual(
      (await take(jobs, 2)).map(({ status }) => status),
      ['ok', 'ok'],
    );
  });
});

test('two maps at once over one Redis share the mappers and keep their results apart', async (t) => {
  const { url } = await startRedis(t);
  const dir = await tempDir(t);
  const names = Array.from({ length: 40 }, (_, number) => `f${number}.pcap.gz`);
  for (const set of ['one', 'two']) {
    const shape = Object.fromEntries(
      names.map((name, number) => [name, [number * 10 + (set === 'one' ? 0 : 1)]]),
    );
    await writeNumberedSet(join(dir, set), shape);
  }
  for (let count = 0; count < 2; count++) await startMapper(t, url);
  const [one, two] = await Promise.all(
    ['one', 'two'].map(async (set) => {
      const args = ['map', '--redis', url, '--dir-src', join(dir, set), '--dump-json', '-'];
      const { code, stdout, stderr } = await runCapfleet(args);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as { beginning: string; files: { path: string }[] };
    }),
  );
  for (const [set, dump] of [
    ['one', one],
    ['two', two],
  ] as const) {
    assert.deepEqual(
      dump?.files.map(({ path }) => path).sort(),
      names.map((name) => join(dir, set, name)).sort(),
    );
  }
  assert.deepEqual(
    [one?.beginning, two?.beginning],
    ['2023-11-14T22:13:20.000000000Z', '2023-11-14T22:13:20.001000000Z'],
  );
});
