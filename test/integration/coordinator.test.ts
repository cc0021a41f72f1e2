// The coordinator as a service: runs over HTTP, by hand and by `capfleet --coordinator`; services that are killed, ended
// and several. Real processes, a real Redis; every packet has a number, so that nothing can be played twice unseen.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { coordinatorClient, type CoordinatorClient } from '@capfleet/cli/coordinator-client';
import { redisMapStore } from '@capfleet/coordinator/adapters/redis-map-store';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry } from '@capfleet/shared/redis/stream';
import { runOwnerKey } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { isMapOver, type MapRecord, type MapState } from '@capfleet/shared/contract/map-record';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunView } from '@capfleet/shared/contract/run-view';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { assertAccounts, makeMappedSet } from '../support/replay-cli.ts';
import {
  startCapfleet,
  startCoordinator,
  startMapper,
  startReplayer,
  TOKEN,
  type Running,
} from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Eight seconds, a packet each 20 ms. */
const PACKETS = 400;
const GAP_MS = 20;
const whole = Array.from({ length: PACKETS }, (_, index) => index);

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
let tokenFile: string;
let service: Running & { readonly url: string };
let client: CoordinatorClient;
before(async () => {
  redis = await startRedis(cleanUp);
  [set, service] = await Promise.all([
    makeMappedSet(cleanUp, { '0.pcap': stamps(0, PACKETS, GAP_MS) }),
    startCoordinator(cleanUp, redis.url),
  ]);
  tokenFile = join(set.dir, 'token');
  await writeFile(tokenFile, `${TOKEN}\n`);
  client = coordinatorClient(service.url, TOKEN);
});

interface Sensor {
  readonly name: string;
  readonly agent: Running;
  sent(): Promise<number[]>;
}

async function startSensor(name: string): Promise<Sensor> {
  const out = join(set.dir, `${name}.pcap`);
  const agent = await startReplayer(cleanUp, redis.url, name, ['--interface', `file:${out}`]);
  return { name, agent, sent: async () => numbersIn(await readFile(out)) };
}

async function planFor(sensor: string): Promise<PlanDocument> {
  const out = join(set.dir, `${sensor}.json`);
  const made = await runCapfleet(['plan', '--dump-json', set.dump, '--sensors', sensor, '--out', out]);
  assert.equal(made.code, 0, made.stderr);
  return parseEntry(await readFile(out, 'utf8')) as PlanDocument;
}

async function follow(run: string, views: RunView[] = []): Promise<RunReport> {
  const report = await client.follow(run, {
    onView: (view) => void views.push(view),
    onLost: () => undefined,
    signal: AbortSignal.timeout(90_000),
  });
  assertAccounts(report);
  return report;
}

interface Got {
  readonly status: number;
  readonly body: {
    readonly record?: MapRecord;
    readonly state?: MapState;
    readonly packets?: number;
    readonly view?: RunView;
    readonly error?: { readonly code: string };
  };
}

async function ask(path: string, body?: object): Promise<Got> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const sent = body && { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(`${service.url}/v1/${path}`, { headers, ...sent });
  return { status: response.status, body: (await response.json()) as Got['body'] };
}

async function isIn(phase: RunView['phase'], run: string): Promise<void> {
  await waitFor(
    `run ${run} is ${phase}`,
    async () => {
      const { body } = await ask(`runs/${run}`);
      return body.view?.phase === phase;
    },
    { timeout: 30_000, every: 50 },
  );
}

async function mapIs(state: MapState['state'], map: string | undefined): Promise<void> {
  await waitFor(`a mapping is ${state}`, async () => (await ask(`maps/${map}`)).body.state?.state === state, {
    timeout: 30_000,
    every: 50,
  });
}

function replayArgs(sensor: string): string[] {
  const where = ['--coordinator', service.url, '--token-file', tokenFile];
  return ['replay', ...where, '--dump-json', set.dump, '--sensors', sensor, '--json'];
}

describe('a run over HTTP', () => {
  test('is listed, watched, and reported as by `capfleet replay`, whose Ctrl-C ends it', async () => {
    const [one, two] = await Promise.all([startSensor('h1'), startSensor('h2')]);
    const run = await client.createRun(await planFor('h1'), {});
    const replay = startCapfleet(cleanUp, replayArgs('h2'));
    const views: RunView[] = [];
    const following = follow(run, views);
    await waitFor('packets', async () => (await two.sent()).length > 10, { timeout: 30_000 });

    const sensors = new Map((await client.sensors()).map((each) => [each.sensor, each]));
    assert.equal(sensors.get('h1')?.busyWith, run);
    assert.ok(BigInt(sensors.get('h2')?.clock?.bound ?? 0) > 0n);
    const early = await ask(`runs/${run}/report`);
    assert.deepEqual([early.status, early.body.error?.code], [409, 'run-open']);
    const where = ['--coordinator', service.url, '--token-file', tokenFile];
    const status = await runCapfleet(['status', ...where]);
    assert.match(status.stdout, new RegExp(`${run} .* 1 sensor +playing`));

    replay.signal('SIGINT');
    const stopped = await replay.ended;
    assert.equal(stopped.code, 130, stopped.stderr);
    const cut = JSON.parse(stopped.stdout) as RunReport;
    assert.equal(cut.outcome, 'stopped');
    assert.deepEqual(await two.sent(), whole.slice(0, cut.totals.sent));
    assert.ok(cut.totals.sent < PACKETS);

    const report = await following;
    assert.deepEqual([report.outcome, report.totals.sent], ['done', PACKETS]);
    assert.deepEqual(await one.sent(), whole);
    const sent = views.map(({ sensors: [sensor] }) => sensor?.progress?.sent ?? 0);
    assert.deepEqual(
      sent,
      sent.toSorted((a, b) => a - b),
    );
    assert.ok(views.length > 4 && views.length < 60, `${views.length} states`);
    // Who comes late has the report at once; who stops what is over gets it, too.
    assert.deepEqual(await follow(run), report);
    const again = await runCapfleet(['stop', run, ...where, '--json']);
    assert.deepEqual([again.code, JSON.parse(again.stdout)], [0, report]);
  });

  test('whose sensor is not there is reported as cancelled, and one that waits for it is stopped', async () => {
    const plan = await planFor('nobody');
    const { code, stdout } = await runCapfleet([...replayArgs('nobody'), '--sensor-timeout', '100ms']);
    const report = JSON.parse(stdout) as RunReport;
    assert.deepEqual([code, report.outcome, report.error?.code], [1, 'cancelled', 'sensor-unknown']);
    const waiting = await client.createRun(plan, { sensorTimeout: '10m' });
    await client.stop(waiting);
    const stopped = await follow(waiting);
    assert.deepEqual([stopped.outcome, stopped.error], ['cancelled', undefined]);
  });
});

/** What stands in the docs as a shell would run it. */
async function documentedCalls(): Promise<string> {
  const text = await readFile(new URL('../../docs/coordinator.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);
  const calls = blocks.find((block) => block.includes('call()')) ?? '';
  return calls.replace('http://127.0.0.1:8470', service.url);
}

test('the calls in docs/coordinator.md are answered', async () => {
  const env = { ...process.env, CAPFLEET_TOKEN: TOKEN };
  const cwd = await tempDir(cleanUp);
  await copyFile(set.dump, join(cwd, 'meta.json'));
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', await documentedCalls()], {
    env,
    cwd,
  });
  assert.match(stdout, /"set":"lab","files":1/);
  assert.match(stdout, /event: state\ndata: .*"phase":"waiting"[^]*event: report\n/);
  assert.match(stdout, /"code":"sensor-unknown"/);
});

describe('a service', () => {
  test('that is killed carries its runs on when it is started again, in every state, and nothing is played twice', async () => {
    const [ready, still, committed, playing] = await Promise.all(
      ['s1', 's2', 's3', 's4'].map((name) => startSensor(name)),
    );
    assert.ok(ready && still && committed && playing);
    const plans = {
      s2: await planFor('s2'),
      s3: await planFor('s3'),
      s4: await planFor('s4'),
      later: await planFor('later'),
    };
    // That of a `capfleet replay` which is killed is carried on like any other.
    const replay = startCapfleet(cleanUp, [
      ...['replay', '--redis', redis.url, '--dump-json', set.dump, '--sensors', 's1'],
    ]);
    await ready.agent.says('"word":"confirm"', 30_000);
    replay.signal('SIGKILL');
    const maps = { source: set.captures, suffix: '.pcap', set: 'mapped' };
    const { record: mapped } = (await ask('maps', maps)).body;
    const { record: unmapped } = (await ask('maps', { ...maps, set: 'never' })).body;
    assert.equal((await ask(`maps/${unmapped?.map}/stop`, {})).status, 202);
    await mapIs('mapping', mapped?.map);
    const runs = {
      later: await client.createRun(plans.later, { sensorTimeout: '10m' }),
      s3: await client.createRun(plans.s3, { lead: '25s' }),
      s4: await client.createRun(plans.s4, {}),
    };
    await Promise.all([isIn('playing', runs.s4), isIn('committing', runs.s3), isIn('waiting', runs.later)]);
    // For less than the five seconds after which it would count as gone.
    still.agent.signal('SIGSTOP');
    const held = await client.createRun(plans.s2, {});
    await isIn('preparing', held);
    const following = [held, ...Object.values(runs)].map((run) => follow(run));
    service.signal('SIGKILL');
    still.agent.signal('SIGCONT');
    await service.ended;
    const later = await startSensor('later');
    service = await startCoordinator(cleanUp, redis.url, { listen: new URL(service.url).host });
    await startMapper(cleanUp, redis.url);
    await mapIs('done', mapped?.map);
    await mapIs('stopped', unmapped?.map);
    assert.equal((await ask('sets/mapped')).body.packets, PACKETS);
    assert.equal((await ask('sets/never')).status, 404);
    for (const report of await Promise.all(following))
      assert.deepEqual([report.outcome, report.totals.sent], ['done', PACKETS], JSON.stringify(report));
    const listed = await waitFor('all are over', async () => {
      const states = (await client.runs()).map(({ sensors, state }) => `${sensors.join()} ${state}`);
      return states.includes('s1 done') && states;
    });
    assert.ok(
      !listed.some((state) => /preparing|committing|armed|playing|waiting|orphaned/.test(state)),
      listed.join('\n'),
    );
    for (const sensor of [ready, still, committed, playing, later])
      assert.deepEqual(await sensor.sent(), whole, sensor.name);
  });

  test('maps for `capfleet map`, which writes the mapping down as well', async (t) => {
    await startMapper(t, redis.url);
    const dump = join(set.dir, 'mapped-there.json');
    const there = ['--coordinator', service.url, '--token-file', tokenFile, '--set', 'by-command'];
    const what = ['map', '--source', set.captures, '--file-suffix', '.pcap', '--dump-json', dump];
    const { code, stdout, stderr } = await runCapfleet([...what, ...there, '--json']);
    assert.equal(code, 0, stderr);
    assert.deepEqual([JSON.parse(stdout).set, JSON.parse(stdout).packets], ['by-command', PACKETS]);
    const written = JSON.parse(await readFile(dump, 'utf8')) as { files: { packets: number }[] };
    assert.deepEqual(
      written.files.map(({ packets }) => packets),
      [PACKETS],
    );
    const nothing = await runCapfleet([...what, ...there, '--file-regexp', 'nothing']);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /no file under .* matches/);
    const unnamed = await runCapfleet([...what, ...there.slice(0, 4)]);
    assert.deepEqual(
      [unnamed.code, unnamed.stderr.includes('--set is needed with --coordinator')],
      [2, true],
    );
  });

  test('tells of a mapping as it goes on, and its end last', async (t) => {
    const { record } = (await ask('maps', { source: set.captures, suffix: '.pcap', set: 'told' })).body;
    const { body, headers } = await fetch(`${service.url}/v1/maps/${record?.map}/events`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    assert.equal(headers.get('content-type'), 'text/event-stream');
    let mapper: Promise<unknown> | null = null;
    let told = '';
    for await (const part of body!.pipeThrough(new TextDecoderStream())) {
      told += part;
      // The first state is told before anything is mapped.
      if (/^event: state$/m.test(told)) mapper ??= startMapper(t, redis.url);
    }
    await mapper;
    const events = [...told.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data = '']) => ({
      event,
      ...(JSON.parse(data) as Got['body']),
    }));
    assert.deepEqual([events[0]?.event, events[0]?.state?.state === 'done'], ['state', false]);
    assert.deepEqual([events.at(-1)?.event, events.at(-1)?.state?.state], ['end', 'done']);
    assert.equal(events.filter(({ event }) => event === 'end').length, 1);
  });

  test('maps nothing outside its roots, whoever asks for it', async (t) => {
    const own = await startRedis(t);
    const fenced = await startCoordinator(t, own.url, { args: ['--root', set.dir, 's3://captures/2026'] });
    const fencedClient = coordinatorClient(fenced.url, TOKEN);
    const inside = { set: 'x', source: set.captures, suffix: '.pcap' };
    for (const source of ['/etc', `${set.dir}/../..`, 's3://captures/2027', 's3://others'])
      await assert.rejects(fencedClient.createMap({ ...inside, source }), { code: 'file-outside-roots' });
    // Straight into Redis.
    const { record } = (await ask('maps', { source: set.captures, suffix: '.pcap', set: 'never' })).body;
    const store = redisMapStore(own.url, 'test', silentLogger());
    t.after(async () => store.close());
    await store.create({ ...record!, source: '/etc' });
    const { state } = await waitFor('it is refused', async () => {
      const asked = await store.load(record!.map);
      return isMapOver(asked.state) && asked;
    });
    assert.deepEqual([state.state, state.error?.code], ['failed', 'file-outside-roots']);
    await ask(`maps/${record?.map}/stop`, {});
  });

  test('stands still for no pattern', { timeout: 30_000 }, async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const send = (method: string, path: string, body: string): Promise<Response> =>
      fetch(`${service.url}/v1/${path}`, { method, headers, body, signal: AbortSignal.timeout(10_000) });
    const path = `/pcap/${'a'.repeat(64)}.pcap`;
    const file = {
      path,
      packets: 1,
      size: 60,
      beginning: '2024-01-01T00:00:00Z',
      end: '2024-01-01T00:00:01Z',
    };
    assert.equal((await send('PUT', 'sets/long', JSON.stringify({ files: [file] }))).status, 200);
    const rule = { by: 'pattern', patterns: [{ sensor: 'a', pattern: '(a+)+$' }] };
    const asked = { plan: 'long', set: 'long', request: { sensors: ['a'], rule } };
    const refused = await send('POST', 'plans', JSON.stringify(asked));
    assert.match(await refused.text(), /assignment-uncovered/);
  });

  test('that ends gives its run to another one at once, answers what is under way, and stops nothing', async () => {
    const [sensor, other] = await Promise.all([startSensor('t1'), startCoordinator(cleanUp, redis.url)]);
    const run = await client.createRun(await planFor('t1'), {});
    await isIn('playing', run);
    const watcher = connect(redis.url, 'test', silentLogger());
    cleanUp.after(async () => watcher.disconnect());
    const owner = await watcher.get(runOwnerKey(run));
    const [head, tail] = ['{"files":', '[]}'];
    const slow = request(`${service.url}/v1/sets/slow`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'content-length': head.length + tail.length,
      },
    });
    const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
    slow.write(head);
    await sleep(200);
    service.signal('SIGTERM');
    await waitFor('it to take no more', () =>
      fetch(`${service.url}/livez`).then(
        () => false,
        () => true,
      ),
    );
    slow.end(tail);
    const [{ statusCode }] = await answered;
    assert.equal(statusCode, 200);
    assert.equal((await service.ended).code, 0);
    // Given back, not only expired some seconds later.
    assert.notEqual(await watcher.get(runOwnerKey(run)), owner);
    client = coordinatorClient(other.url, TOKEN);
    assert.equal((await follow(run)).outcome, 'done');
    assert.deepEqual(await sensor.sent(), whole);
  });

  test('does not start without a token, or with one that anybody would guess', async () => {
    const bare = await runCapfleet(['coordinator', '--redis', redis.url]);
    assert.deepEqual([bare.code, bare.stderr.includes('CAPFLEET_TOKEN')], [2, true]);
    await writeFile(tokenFile, 'secret\n');
    const short = await runCapfleet(['coordinator', '--redis', redis.url, '--token-file', tokenFile]);
    assert.deepEqual([short.code, short.stderr.includes('openssl rand')], [2, true]);
  });
});
