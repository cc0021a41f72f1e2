// Runs whose coordinator is killed, stands still or is another's; agents that die and come back; runs that are stopped
// from outside. Real processes, a real Redis; every packet has a number, so that nothing can be played twice unseen.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { resumeRun } from '@capfleet/coordinator/usecases/replay-run';
import type { RunReport } from '@capfleet/shared/contract/report';
import { silentLogger } from '@capfleet/shared/log/logger';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { assertAccounts, makeMappedSet } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import { tempDir, type AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Twelve seconds, a packet each 20 ms; the files follow each other. */
const PACKETS = 600;
const GAP_MS = 20;
const FILES = 6;
/** Packets of a run that need not take long. */
const SHORT = 150;
/** Longer than a run stays its coordinator's that is gone. */
const HOLD = 6000;
const LONG_LEAD = ['--lead', '8s'];
const LEAD = ['--lead', '1s'];

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
before(async () => {
  redis = await startRedis(cleanUp);
  const each = PACKETS / FILES;
  const files = Array.from({ length: FILES }, (_, index): [string, number[]] => [
    `${index}.pcap`,
    stamps(index * each * GAP_MS, each, GAP_MS),
  ]);
  set = await makeMappedSet(cleanUp, Object.fromEntries(files));
});

let outputs = 0;
interface Sensor {
  readonly name: string;
  readonly agent: Running;
  sent(): Promise<number[]>;
}

async function startSensor(t: AfterHook, name: string, way = redis.url): Promise<Sensor> {
  const out = join(set.dir, `${name}-${outputs++}.pcap`);
  const agent = await startReplayer(t, way, name, ['--interface', `file:${out}`]);
  return { name, agent, sent: async () => numbersIn(await readFile(out)) };
}

function startRun(t: AfterHook, sensors: string, ...args: readonly string[]): Running {
  const where = ['--redis', redis.url, '--dump-json', set.dump, '--sensors', sensors];
  return startCapfleet(t, ['replay', ...where, '--json', ...args]);
}

async function plays({ agent, sent }: Sensor): Promise<void> {
  await agent.says('"word":"acknowledged"', 30_000);
  await waitFor('packets', async () => (await sent()).length > 10, { timeout: 30_000 });
}

function runOf({ output }: Running): string {
  const [, run = ''] = /"run":"([^"]+)"/.exec(output.stderr) ?? [];
  return run;
}

function reportOf({ stdout, stderr }: Ended): RunReport {
  assert.notEqual(stdout, '', stderr);
  const report = JSON.parse(stdout) as RunReport;
  assertAccounts(report);
  return report;
}

/** Another coordinator takes the run, as soon as it can. */
async function carryOn(t: AfterHook, run: string): Promise<RunReport> {
  const world = redisRunWorld(redis.url, silentLogger());
  t.after(() => world.close());
  await waitFor('the run is free', async () => !(await world.store.isHeld(run)), { timeout: 30_000 });
  const report = await resumeRun(world, run, {
    interrupted: new AbortController().signal,
    onChange: () => undefined,
  });
  assertAccounts(report);
  return report;
}

const whole = Array.from({ length: PACKETS }, (_, index) => index);

/** A way to Redis that is cut, both ways and without a word, by the first thing said over it that holds the text. */
async function wayThatIsCut(t: AfterHook, text: string): Promise<string> {
  const path = join(await tempDir(t), 'way.sock');
  let isCut = false;
  const server = createServer((client) => {
    const upstream = connect(redis.url.replace(/^unix:/, ''));
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (data) => {
        isCut ||= data.includes(text);
        if (!isCut) to.write(data);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        if (!isCut) to.destroy();
      });
    };
    pass(client, upstream);
    pass(upstream, client);
    t.after(() => {
      client.destroy();
      upstream.destroy();
      return Promise.resolve();
    });
  });
  server.listen(path);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    return Promise.resolve();
  });
  return `unix:${path}`;
}

test('a sensor that is cut off just when it acknowledges a start does not start alone', async (t) => {
  const one = await startSensor(t, 'a1');
  const two = await startSensor(t, 'a2', await wayThatIsCut(t, '"acknowledged"'));
  const replay = startRun(t, 'a1,a2', '--lead', '3s', '--assign', 'a1=[0-2]\\.pcap', '--assign', 'a2=.');
  const report = reportOf(await replay.ended);
  assert.equal(report.outcome, 'cancelled');
  assert.equal(report.sensors[1]?.error?.code, 'acknowledge-timeout');
  // It has not heard that the start was taken back.
  await two.agent.says('"word":"refused"', 20_000);
  assert.doesNotMatch(two.agent.output.stderr, /"word":"(cancel|confirm)"/);
  const sent = [one, two].map(({ sent: numbers }) => numbers().catch(() => []));
  assert.deepEqual(await Promise.all(sent), [[], []]);
});

test('a sensor that is killed after the start was committed takes it back for all', async (t) => {
  const one = await startSensor(t, 'd1');
  const two = await startSensor(t, 'd2');
  // Shorter than a registration lives: by that it would be lost as well.
  const replay = startRun(t, 'd1,d2', '--lead', '3s', '--assign', 'd1=[0-2]\\.pcap', '--assign', 'd2=.');
  await two.agent.says('"word":"commit"', 30_000);
  two.agent.signal('SIGKILL');
  const report = reportOf(await replay.ended);
  assert.equal(report.outcome, 'cancelled');
  assert.equal(report.sensors[1]?.error?.code, 'acknowledge-timeout');
  await one.agent.says('"word":"cancel"');
  const sent = [one, two].map(({ sent: numbers }) => numbers().catch(() => []));
  assert.deepEqual(await Promise.all(sent), [[], []]);
});

describe('a run whose coordinator is killed', { concurrency: 3 }, () => {
  test('before the commit is started by another, once all are ready', async (t) => {
    const one = await startSensor(t, 'k1');
    const two = await startSensor(t, 'k2');
    two.agent.signal('SIGSTOP');
    const replay = startRun(t, 'k1,k2', ...LEAD, '--assign', 'k1=[0-2]\\.pcap', '--assign', 'k2=.');
    await one.agent.says('"word":"ready"', 30_000);
    replay.signal('SIGKILL');
    two.agent.signal('SIGCONT');
    const report = await carryOn(t, runOf(one.agent));
    assert.deepEqual([report.outcome, report.totals.sent], ['done', PACKETS]);
    assert.deepEqual([...(await one.sent()), ...(await two.sent())], whole);
  });

  test('between commit and start is carried through by another, with the start that was committed', async (t) => {
    const sensor = await startSensor(t, 'k3');
    const replay = startRun(t, 'k3', ...LONG_LEAD);
    await sensor.agent.says('"word":"commit"', 30_000);
    replay.signal('SIGKILL');
    const report = await carryOn(t, runOf(sensor.agent));
    assert.equal(report.outcome, 'done');
    assert.deepEqual(await sensor.sent(), whole);
  });

  test('while it is played goes on, and is reported by another', async (t) => {
    const sensor = await startSensor(t, 'k4');
    const replay = startRun(t, 'k4', ...LEAD);
    await plays(sensor);
    replay.signal('SIGKILL');
    const report = await carryOn(t, runOf(sensor.agent));
    assert.deepEqual([report.outcome, report.totals.sent], ['done', PACKETS]);
    assert.deepEqual(await sensor.sent(), whole);
  });

  test('is ended and reported by `capfleet stop`', async (t) => {
    const sensor = await startSensor(t, 'k5');
    const replay = startRun(t, 'k5', ...LEAD);
    await plays(sensor);
    replay.signal('SIGKILL');
    const run = runOf(sensor.agent);
    const { code, stdout, stderr } = await runCapfleet(['stop', run, '--redis', redis.url, '--json']);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as RunReport;
    assert.equal(report.outcome, 'stopped');
    const sent = await sensor.sent();
    assert.equal(report.totals.sent, sent.length);
    assert.ok(sent.length < PACKETS);
    const again = await runCapfleet(['stop', run, '--redis', redis.url, '--json']);
    assert.deepEqual(JSON.parse(again.stdout), report);
  });

  test('is ended by its sensors themselves, where that is wanted', async (t) => {
    const sensor = await startSensor(t, 'k6');
    const replay = startRun(t, 'k6', ...LEAD, '--orphan-timeout', '3s');
    await plays(sensor);
    replay.signal('SIGKILL');
    const report = await carryOn(t, runOf(sensor.agent));
    const [{ result } = {}] = report.sensors;
    assert.equal(result?.outcome, 'stopped');
    assert.match(result.warnings.map(({ message }) => message).join(), /no coordinator was there/);
    assert.ok((await sensor.sent()).length < PACKETS);
  });
});

describe('a coordinator', { concurrency: 3 }, () => {
  test('that was away finds its run taken, and says nothing more in it', async (t) => {
    const sensor = await startSensor(t, 'c1');
    const replay = startRun(t, 'c1', ...LEAD);
    await plays(sensor);
    replay.signal('SIGSTOP');
    const carried = carryOn(t, runOf(sensor.agent));
    await sleep(HOLD + 500);
    replay.signal('SIGCONT');
    const { code, stderr } = await replay.ended;
    assert.equal(code, 1);
    assert.match(stderr, /another coordinator carries run \S+ through/);
    assert.equal((await carried).outcome, 'done');
    assert.deepEqual(await sensor.sent(), whole);
  });

  test('is told by `capfleet stop` to end its run', async (t) => {
    const sensor = await startSensor(t, 'c2');
    const replay = startRun(t, 'c2', ...LEAD);
    await plays(sensor);
    const run = runOf(sensor.agent);
    const shown = await runCapfleet(['status', '--redis', redis.url]);
    assert.match(shown.stdout, new RegExp(`c2 .* run ${run}\n[^]*${run} .* 1 sensor +playing`));
    const { code, stdout, stderr } = await runCapfleet(['stop', run, '--redis', redis.url]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^stopped: /);
    const report = reportOf(await replay.ended);
    assert.equal(report.outcome, 'stopped');
    assert.equal(report.totals.sent, (await sensor.sent()).length);
  });

  test('is told by `capfleet stop` to end its run before the start, which is no failure of the sensor', async (t) => {
    const sensor = await startSensor(t, 'c4');
    const replay = startRun(t, 'c4', '--start-at', '2100-01-01T00:00:00Z');
    await sensor.agent.says('"word":"commit"', 30_000);
    const ended = await runCapfleet(['stop', runOf(sensor.agent), '--redis', redis.url]);
    assert.match(ended.stdout, /cancelled: stopped by the user/);
    const { outcome, sensors } = reportOf(await replay.ended);
    assert.deepEqual([outcome, sensors[0]?.error], ['cancelled', null]);
  });

  test('waits for a sensor that another run has, where that is wanted', async (t) => {
    const sensor = await startSensor(t, 'c3');
    const short = ['--time-to', '2023-11-14T22:13:27'];
    const first = startRun(t, 'c3', ...LEAD, ...short);
    await plays(sensor);
    const refused = await startRun(t, 'c3', ...LEAD, ...short).ended;
    assert.equal(JSON.parse(refused.stdout).error.code, 'sensor-busy');
    const second = reportOf(await startRun(t, 'c3', ...LEAD, ...short, '--when-busy', 'wait').ended);
    const one = reportOf(await first.ended);
    const [before, behind] = [one, second].map(({ sensors }) => sensors[0]?.result);
    assert.ok(BigInt(behind?.firstSent ?? 0) > BigInt(before?.lastSent ?? 0), 'one after the other');
    assert.deepEqual([one.outcome, second.outcome], ['done', 'done']);
    assert.equal(second.totals.sent, one.totals.sent);
  });

  test('is not asked in vain for a run that nobody keeps', async () => {
    const { code, stderr } = await runCapfleet(['stop', 'nothing', '--redis', redis.url]);
    assert.equal(code, 1);
    assert.match(stderr, /no run nothing is kept\n.*capfleet status/);
  });
});

describe('a Redis that is killed and comes back with what it had', { concurrency: 3 }, () => {
  for (const [when, lead, reach] of [
    [
      'before the commit',
      LEAD,
      async (t: Sensor): Promise<void> => t.agent.says('"msg":"preparing"', 30_000),
    ],
    [
      'between commit and start',
      ['--lead', '4s'],
      async (t: Sensor): Promise<void> => t.agent.says('"confirm"', 30_000),
    ],
    [
      'at the end',
      LEAD,
      async ({ sent }: Sensor): Promise<void> => {
        const isNearly = async (): Promise<boolean> => (await sent().catch(() => [])).length > SHORT - 20;
        await waitFor('the end is near', isNearly, { timeout: 30_000 });
      },
    ],
  ] as const) {
    test(`${when} costs a run nothing`, async (t) => {
      const own = await startRedis(t, { appendOnly: true });
      const sensor = await startSensor(t, 'once', own.url);
      const where = ['--redis', own.url, '--dump-json', set.dump, '--sensors', 'once'];
      const replay = startCapfleet(t, ['replay', ...where, '--json', ...lead, '--limit', String(SHORT)]);
      await reach(sensor);
      await own.kill();
      await sleep(1500);
      await own.start();
      const report = reportOf(await replay.ended);
      assert.deepEqual([report.outcome, report.totals.sent], ['done', SHORT]);
      assert.deepEqual(await sensor.sent(), whole.slice(0, SHORT));
    });
  }
});

describe('an agent that dies while it plays', { concurrency: 3 }, () => {
  test('and is started again joins where the timeline is, and plays nothing twice', async (t) => {
    const first = await startSensor(t, 'r1');
    const replay = startRun(t, 'r1', ...LEAD, '--rejoin', '30s');
    await plays(first);
    first.agent.signal('SIGKILL');
    await first.agent.ended;
    const second = await startSensor(t, 'r1');
    const report = reportOf(await replay.ended);
    const [before, after] = [await first.sent(), await second.sent()];
    assert.ok(after.length > 0 && before.length > 0);
    assert.deepEqual(before, whole.slice(0, before.length));
    assert.deepEqual(after, whole.slice(-after.length));
    assert.ok(before.length + after.length < PACKETS, 'what was due meanwhile is left out');
    const [{ result, returns } = {}] = report.sensors;
    assert.equal(result?.accounts.sent, after.length);
    assert.equal(returns?.length, 1);
    assert.ok(Number(returns[0]?.resumed) >= Number(returns[0]?.position));
    assert.ok(result.accounts.read < PACKETS, 'files that were over are not read');
    assert.equal(report.verdict.holds, false);
    assert.match(
      report.verdict.findings.map(({ text }) => text).join('\n'),
      /was lost after .* it was back .* into the run/,
    );
  });

  test('and is started again stays out, unless that is wanted', async (t) => {
    const first = await startSensor(t, 'r2');
    const witness = await startSensor(t, 'r3');
    const split = ['--assign', 'r2=[024]\\.pcap', '--assign', 'r3=.'];
    const replay = startRun(t, 'r2,r3', ...LEAD, ...split);
    await plays(first);
    first.agent.signal('SIGKILL');
    await first.agent.ended;
    const second = await startSensor(t, 'r2');
    const report = reportOf(await replay.ended);
    assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
    assert.deepEqual(await second.sent().catch(() => []), []);
    assert.equal((await witness.sent()).length, PACKETS / 2);
  });

  test('is waited for no longer than is asked for', async (t) => {
    const first = await startSensor(t, 'r4');
    const replay = startRun(t, 'r4', ...LEAD, '--rejoin', '3s');
    await plays(first);
    first.agent.signal('SIGKILL');
    const report = reportOf(await replay.ended);
    assert.deepEqual([report.outcome, report.sensors[0]?.error?.code], ['failed', 'sensor-lost']);
  });

  test('is not replaced by one elsewhere, which cannot know whether it still plays', async (t) => {
    const first = await startSensor(t, 'r5');
    const replay = startRun(t, 'r5', ...LEAD, '--rejoin', '12s');
    await plays(first);
    first.agent.signal('SIGSTOP');
    const other = await startReplayer(t, redis.url, 'r5', ['--interface', 'null'], { elsewhere: true });
    const report = reportOf(await replay.ended);
    assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
    assert.doesNotMatch(other.output.stderr, /preparing/);
  });

  test('and is back is reported by the coordinator that takes the run over', async (t) => {
    const first = await startSensor(t, 'r6');
    const replay = startRun(t, 'r6', ...LEAD, '--rejoin', '30s');
    await plays(first);
    first.agent.signal('SIGKILL');
    await first.agent.ended;
    const second = await startSensor(t, 'r6');
    await plays(second);
    replay.signal('SIGKILL');
    const report = await carryOn(t, runOf(second.agent));
    const [before, after] = [await first.sent(), await second.sent()];
    assert.deepEqual([...before, ...after], [...new Set([...before, ...after])]);
    const [{ result, returns } = {}] = report.sensors;
    assert.equal(result?.accounts.sent, after.length);
    assert.equal(returns?.length, 1);
    assert.equal(second.agent.output.stderr.split('"msg":"preparing"').length - 1, 1);
  });

  test('is not replaced by one elsewhere when another coordinator takes the run over, either', async (t) => {
    const first = await startSensor(t, 'r7');
    const replay = startRun(t, 'r7', ...LEAD, '--rejoin', '12s');
    await plays(first);
    first.agent.signal('SIGSTOP');
    replay.signal('SIGKILL');
    const other = await startReplayer(t, redis.url, 'r7', ['--interface', 'null'], { elsewhere: true });
    const report = await carryOn(t, runOf(first.agent));
    assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
    assert.doesNotMatch(other.output.stderr, /preparing/);
  });
});
