// The commands with captures, mappings and tarballs in S3: the same as with those on disk.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runCapfleet } from '../support/capfleet.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { lastFirst } from '../support/last-first.ts';
import { readDumpFile } from '../support/map-cli.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { numbersOf, playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { startRedis } from '../support/redis-server.ts';
import { cliOptions, endpoint, makeBucket, withoutS3, type Bucket } from '../support/s3-bucket.ts';
import { metricsUrl, named, scrape, SERVED } from '../support/scrape.ts';
import { startMapper, startReplayer } from '../support/start-capfleet.ts';
import { tarFile } from '../support/tar-writer.ts';
import { tempDir, type AfterHook } from '../support/temp-dir.ts';

const SHAPE = {
  'a.pcap': stamps(0, 30, 10),
  'sub/b.pcap': stamps(5, 20, 10),
  'c d+é.pcap': [0, 100, 150],
};

interface Scene {
  readonly dir: string;
  /** The set on disk; its copy in S3 is `bucket.path/set`. */
  readonly captures: string;
  readonly bucket: Bucket;
}

async function makeScene(t: AfterHook): Promise<Scene> {
  const dir = await tempDir(t);
  const captures = join(dir, 'set');
  await mkdir(captures);
  await writeNumberedSet(captures, SHAPE);
  const bucket = await makeBucket(t);
  for (const name of Object.keys(SHAPE))
    await bucket.put(`set/${name}`, await readFile(join(captures, name)));
  return { dir, captures, bucket };
}

async function map(source: string, dump: string, ...args: string[]): Promise<Record<string, unknown>> {
  const standard = ['--file-suffix', '', '--file-workers', '1', '--json', ...cliOptions()];
  const ended = await runCapfleet(['map', '--source', source, '--dump-json', dump, ...standard, ...args]);
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

describe('capfleet with S3', { skip: withoutS3, concurrency: 2 }, () => {
  test('maps a prefix as it maps the folder with the same files', async (t) => {
    const { dir, captures, bucket } = await makeScene(t);
    const [there, here] = [join(dir, 's3.json'), join(dir, 'disk.json')];
    await map(`${bucket.path}/set`, there);
    await map(captures, here);
    const view = async (dump: string): Promise<unknown> =>
      (await readDumpFile(dump)).files.map(({ path, capfleet, ...rest }) => {
        const { path: full, ...facts } = capfleet as unknown as Record<string, unknown>;
        return { ...rest, root: null, capfleet: { ...facts, version: null } };
      });
    assert.deepEqual(await view(there), await view(here));
    const again = await map(`${bucket.path}/set`, there);
    assert.deepEqual([again['files'], again['reused']], [3, 3], 'and knows its files again');
  });

  test('is asked by mappers and replayers that count what they ask', async (t) => {
    const after = lastFirst(t);
    const { dir, bucket } = await makeScene(after);
    const redis = await startRedis(after);
    const mapper = await startMapper(after, redis.url, [...cliOptions(), ...SERVED]);
    const dump = join(dir, 'd.json');
    const shared = ['--redis', redis.url, '--dump-json', dump];
    const mapped = await runCapfleet([
      ...['map', ...shared, '--source', `${bucket.path}/set`, '--file-suffix', '', ...cliOptions()],
    ]);
    assert.equal(mapped.code, 0, mapped.stderr);
    const replayer = await startReplayer(after, redis.url, 'one', [
      '--interface',
      'null',
      ...cliOptions(),
      ...SERVED,
    ]);
    const replay = ['replay', ...shared, '--sensors', 'one', ...SHORT_LEAD];
    const files = Object.keys(SHAPE).length;
    const errorsIn = (told: ReadonlyMap<string, number>): number =>
      Object.values(named(told, 'capfleet_s3_errors_total')).reduce((sum, count) => sum + count, 0);
    const requests = 'capfleet_s3_requests_total{operation="GetObject"}';
    assert.equal((await runCapfleet(replay)).code, 0);
    for (const [service, sensor] of [[mapper], [replayer, 'one']] as const) {
      const told = await scrape(await metricsUrl(service), sensor);
      assert.ok((told.get(requests) ?? 0) >= files, JSON.stringify(named(told, 'capfleet_s3')));
      assert.equal(errorsIn(told), 0);
    }
    await bucket.remove('set/a.pcap');
    await runCapfleet(replay);
    const told = await scrape(await metricsUrl(replayer), 'one');
    assert.ok(errorsIn(told) >= 1, JSON.stringify(named(told, 'capfleet_s3')));
  });

  test('maps through a shared Redis with a mapper that may read that prefix, and no other', async (t) => {
    const after = lastFirst(t);
    const { dir, bucket } = await makeScene(after);
    const redis = await startRedis(after);
    await startMapper(after, redis.url, [...cliOptions(), '--root', `${bucket.path}/set/sub`]);
    const ended = await runCapfleet([
      ...['map', '--redis', redis.url, '--source', `${bucket.path}/set`, '--file-suffix', ''],
      ...['--dump-json', join(dir, 'd.json'), ...cliOptions()],
    ]);
    assert.equal(ended.code, 3, ended.stderr);
    const { files, capfleet } = await readDumpFile(join(dir, 'd.json'));
    assert.deepEqual(
      files.map(({ path }) => path),
      [`${bucket.path}/set/sub/b.pcap`],
    );
    assert.deepEqual(
      new Set(capfleet.failed.map(({ error }) => error.code)),
      new Set(['file-outside-roots']),
    );
  });

  test('writes a mapping there, brings it up to date, and never over what somebody else wrote meanwhile', async (t) => {
    const { captures, bucket } = await makeScene(t);
    const dump = `${bucket.path}/maps/set.json`;
    await map(captures, dump);
    assert.equal((JSON.parse(await bucket.get('maps/set.json')) as { files: unknown[] }).files.length, 3);
    assert.equal((await map(captures, dump))['reused'], 3);
    const proxy = await startFaultProxy(t, endpoint);
    const state = { written: false };
    proxy.spoil(({ method }) => {
      if (method !== 'PUT' || state.written) return null;
      state.written = true;
      return { kind: 'meanwhile', work: () => bucket.put('maps/set.json', 'by another') };
    });
    const ended = await runCapfleet([
      ...['map', '--source', captures, '--file-suffix', '', '--dump-json', dump, '--fresh'],
      ...cliOptions(proxy.url),
    ]);
    assert.equal(ended.code, 1, ended.stdout);
    assert.match(ended.stderr, /someone else wrote/);
    assert.equal(await bucket.get('maps/set.json'), 'by another');
  });

  test('plays from there what it plays from disk, though a read stalls on the way', async (t) => {
    const { dir, captures, bucket } = await makeScene(t);
    const dump = `${bucket.path}/maps/set.json`;
    await map(`${bucket.path}/set`, dump);
    await map(captures, join(dir, 'disk.json'));
    const play = async (from: string, out: string, at: string): Promise<void> => {
      const args = ['replay', '--dump-json', from, '--out-interface', `file:${out}`, '--json', ...SHORT_LEAD];
      playedReport(await runCapfleet([...args, ...cliOptions(at)]));
    };
    const [there, here, slow] = ['s3.pcap', 'disk.pcap', 'slow.pcap'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await play(dump, there, endpoint);
    await play(join(dir, 'disk.json'), here, endpoint);
    assert.deepEqual(await numbersOf(there), await numbersOf(here));
    await bucket.put('far-end.pcap', await readFile(there));
    const held = ['--source', dump, '--received', `${bucket.path}/far-end.pcap`, '--json', ...cliOptions()];
    const verified = await runCapfleet(['verify', ...held]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal((JSON.parse(verified.stdout) as { matched: number }).matched, 53);
    const parts = ['a.pcap', 'sub/b.pcap', 'c d+é.pcap'].map((name) => `${bucket.path}/set/${name}`);
    const unmapped = await runCapfleet(['verify', '--source', ...parts, ...held.slice(2)]);
    assert.equal(unmapped.code, 0, 'the captures themselves, too');
    const proxy = await startFaultProxy(t, endpoint);
    proxy.spoil(({ url, method }) =>
      method === 'GET' && url.includes('b.pcap') ? { kind: 'stall', after: 300, ms: 700 } : null,
    );
    await play(dump, slow, proxy.url);
    assert.deepEqual((await numbersOf(slow)).sort(), (await numbersOf(here)).sort(), 'all of it is sent');
  });

  test('extracts a tarball from there to there', async (t) => {
    const { dir, captures, bucket } = await makeScene(t);
    const data = await readFile(join(captures, 'a.pcap'));
    await bucket.put(
      'set.tar',
      tarFile([
        { name: 'x/a.pcap', data },
        { name: 'b.txt', data: Buffer.from('no') },
      ]),
    );
    const args = [
      'tarExtract',
      '--in-tarball',
      `${bucket.path}/set.tar`,
      '--file-regexp',
      'pcap',
      ...cliOptions(),
    ];
    const out = `${bucket.path}/out`;
    const first = await runCapfleet([...args, '--out-dir', out, '--json']);
    assert.equal(first.code, 0, first.stderr);
    assert.ok(Buffer.from(await bucket.get('out/x/a.pcap')).length > 0);
    const again = await runCapfleet([...args, '--out-dir', out]);
    assert.equal(again.code, 3, 'nothing is overwritten');
    const local = join(dir, 'out');
    assert.equal((await runCapfleet([...args, '--out-dir', local])).code, 0);
    assert.ok((await readFile(join(local, 'x/a.pcap'))).equals(data));
  });

  test('edits captures into a prefix, and one into an object', async (t) => {
    const { dir, captures, bucket } = await makeScene(t);
    const edit = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await runCapfleet(['edit', '--ttl', '9', ...args, ...cliOptions()]);
      assert.equal(code, 0, stderr);
    };
    await edit('--source', `${bucket.path}/set`, '--out-dir', `${bucket.path}/edited`);
    await edit('--source', `${bucket.path}/edited/sub/b.pcap`, '--out', `${bucket.path}/one/c.pcap`);
    await edit('--source', `${bucket.path}/one/c.pcap`, '--out', join(dir, 'back.pcap'));
    await edit('--source', join(captures, 'sub/b.pcap'), '--out', join(dir, 'direct.pcap'));
    assert.deepEqual(await readFile(join(dir, 'back.pcap')), await readFile(join(dir, 'direct.pcap')));
    const again = ['edit', '--source', `${bucket.path}/set/a.pcap`, '--out', `${bucket.path}/one/c.pcap`];
    const refused = await runCapfleet([...again, ...cliOptions()]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /one\/c\.pcap exists already/);
  });

  test('maps a tarball in S3, and plays straight out of it', async (t) => {
    const { dir, captures, bucket } = await makeScene(t);
    const members = await Promise.all(
      Object.keys(SHAPE).map(async (name) => ({ name, data: await readFile(join(captures, name)) })),
    );
    await bucket.put('set.tar', tarFile(members));
    const dump = join(dir, 'tar.json');
    await map(`${bucket.path}/set.tar`, dump);
    await map(captures, join(dir, 'disk.json'));
    const [there, here] = [join(dir, 'tar.pcap'), join(dir, 'disk.pcap')];
    for (const [from, out] of [
      [dump, there],
      [join(dir, 'disk.json'), here],
    ] as const) {
      const args = ['replay', '--dump-json', from, '--out-interface', `file:${out}`, '--json', ...SHORT_LEAD];
      playedReport(await runCapfleet([...args, ...cliOptions()]));
    }
    assert.deepEqual(await numbersOf(there), await numbersOf(here));
  });

  test('refuses with the way out: no such bucket, wrong secret, a server that is not there', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'd.json'), '');
    const run = (args: string[], env: Record<string, string> = {}): ReturnType<typeof runCapfleet> =>
      runCapfleet(['map', '--dump-json', join(dir, 'd.json'), ...args], { env: { ...process.env, ...env } });
    const missing = await run(['--source', 's3://no-such-bucket-of-ours/x', ...cliOptions()]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no such bucket: no-such-bucket-of-ours \(NoSuchBucket\)\n.*--s3-endpoint/);
    const wrong = await run(['--source', 's3://no-such-bucket-of-ours/x', ...cliOptions()], {
      AWS_SECRET_ACCESS_KEY: 'wrong',
    });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /SignatureDoesNotMatch|AccessDenied/);
  });
});
