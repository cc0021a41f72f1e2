// Replays from several sensors: real agents over one Redis, sending into files. Who plays what, and what becomes
// of a run when its parts do not do what they should.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisSensorChannel } from '@capfleet/coordinator/adapters/redis-sensor-channel';
import type { PrepareJob } from '@capfleet/shared/contract/agent-messages';
import { sensorKey } from '@capfleet/shared/contract/keys';
import type { RunReport } from '@capfleet/shared/contract/report';
import { plainReplay } from '@capfleet/shared/dataset/replay-plan';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { mapHere } from '../support/dump.ts';
import { numberedFrame } from '../support/frames.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, type MapPlace } from '../support/map-cli.ts';
import { numberedConversation, stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { plainTiming } from '../support/play-results.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import {
  assertAccounts,
  makeMappedSet,
  numberingOf,
  numbersOf,
  playedReport,
  runReplay,
  SHORT_LEAD,
  timelineOf,
} from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Made so that every rule shares it out in another way. */
const SHAPE: SetShape = {
  'x/one.pcap': stamps(0, 10, 10),
  'y/two.pcap': stamps(100, 10, 10),
  'y/three.pcap': stamps(5, 12, 15),
  'x/four.pcap': stamps(3, 3, 50),
};
const NUMBERS = numberingOf(SHAPE);
const ONE = 'x/one.pcap';
const TWO = 'y/two.pcap';
const THREE = 'y/three.pcap';
const FOUR = 'x/four.pcap';

/** For what all tests share. */
const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
/** A second of it at a tenth of its speed. */
const SLOWLY = ['--time-modifier', '0.1'];

before(async () => {
  redis = await startRedis(cleanUp);
  set = await makeMappedSet(cleanUp, SHAPE);
});

const sentBy = (sensor: string): string => join(set.dir, `${sensor}.pcap`);

/** The agent of a sensor that writes what it sends to a file of its name. */
function startAgent(t: AfterHook, sensor: string, ...args: string[]): Promise<Running> {
  return startReplayer(t, redis.url, sensor, ['--interface', `file:${sentBy(sensor)}`, ...args]);
}

function replayOn(sensors: string, ...args: string[]): Promise<Ended> {
  return runReplay(set, ['--redis', redis.url, '--sensors', sensors, '--json', ...args]);
}

function startReplayOn(t: AfterHook, sensors: string, ...args: string[]): Running {
  const where = ['--redis', redis.url, '--dump-json', set.dump, '--sensors', sensors];
  return startCapfleet(t, ['replay', ...where, ...SHORT_LEAD, '--json', ...args]);
}

/** Waits until the agent has been told that its start holds: from here on it needs no word to play. */
async function plays(agent: Running): Promise<void> {
  await agent.says('"word":"confirm"');
}

function refusalOf({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 1, stdout + stderr);
  const said = JSON.parse(stdout) as Partial<RunReport> & { error?: { code: string } };
  if (said.error) return said.error.code;
  assert.deepEqual([said.outcome, said.totals?.read], ['cancelled', 0]);
  return said.sensors?.find(({ error }) => error !== null)?.error?.code ?? '';
}

/** 20 conversations of 3 packets over two files, both ways; and the client's port of each packet. */
async function mapConversations(t: AfterHook): Promise<{ flows: MapPlace; ports: number[] }> {
  const { from, to } = numberedConversation;
  const ports = Array.from({ length: 60 }, (_, n) => 5000 + (n % 20));
  const packets = ports.map((port, n) => ({
    seconds: 1_700_000_000,
    fraction: n * 1000,
    data: numberedFrame(
      n % 3 === 0
        ? { from: to, to: from, fromPort: 53, toPort: port }
        : { from, to, fromPort: port, toPort: 53 },
      100,
      n,
    ),
  }));
  const flows = await makeMapPlace(
    t,
    {},
    {
      'one.pcap': pcapFile(
        {},
        packets.filter((_, n) => n % 2 === 0),
      ),
      'two.pcap': pcapFile(
        {},
        packets.filter((_, n) => n % 2 === 1),
      ),
    },
  );
  await mapHere(flows.captures, flows.dump);
  return { flows, ports };
}

async function portsOf(capture: string): Promise<number[]> {
  return readPcap(await readFile(capture)).packets.map(({ data }) =>
    Math.max(data.readUInt16BE(34), data.readUInt16BE(36)),
  );
}

const rules: [args: string[], a: string[], b: string[]][] = [
  [
    ['--assign-by', 'lane'],
    [ONE, TWO],
    [THREE, FOUR],
  ],
  [
    ['--assign-by', 'folder'],
    [TWO, THREE],
    [ONE, FOUR],
  ],
  [
    ['--assign-by', 'size'],
    [THREE, FOUR],
    [ONE, TWO],
  ],
  [
    ['--assign', 'b=/t(wo|hree)', '--assign', 'a=.*'],
    [ONE, FOUR],
    [TWO, THREE],
  ],
  [['--assign', 'a=pcap$'], [ONE, TWO, THREE, FOUR], []],
];

describe('two sensors', () => {
  before(async () => {
    await startAgent(cleanUp, 'a');
    await startAgent(cleanUp, 'b');
  });

  for (const [args, a, b] of rules) {
    test(`share a set by ${args.join(' ')}`, async () => {
      const report = playedReport(await replayOn('a,b', ...args));
      assert.deepEqual(await numbersOf(sentBy('a')), timelineOf(SHAPE, NUMBERS, a));
      assert.deepEqual(await numbersOf(sentBy('b')), timelineOf(SHAPE, NUMBERS, b));
      assert.equal(report.totals.sent, 35);
      assert.equal(report.startSkew === null, b.length === 0);
    });
  }

  test('share a set by flow: both read all of it, and each sends whole conversations', async (t) => {
    const { flows, ports } = await mapConversations(t);
    const args = ['--redis', redis.url, '--sensors', 'a,b', '--assign-by', 'flow', '--json'];
    const report = playedReport(await runReplay(flows, args));
    const sent = await Promise.all(['a', 'b'].map((sensor) => portsOf(sentBy(sensor))));
    assert.deepEqual(sent.flat().sort(), ports.toSorted());
    assert.ok(!sent[0]!.some((port) => sent[1]!.includes(port)), 'no conversation on both');
    assert.deepEqual([report.totals.read, report.totals.sent], [60, 60]);
    for (const [index, { result }] of report.sensors.entries()) {
      assert.deepEqual(
        [result?.accounts.read, result?.elsewhere],
        [sent[index]!.length, sent[1 - index]!.length],
      );
      assert.ok(sent[index]!.length > 0);
    }
    assert.ok(report.verdict.findings.some(({ check, holds }) => check === 'shared' && holds));

    const verify = ['verify', '--source', flows.dump, '--sensors', 'a,b', '--sensor', 'b', '--json'];
    const held = await runCapfleet([...verify, '--assign-by', 'flow', '--received', sentBy('b')]);
    assert.equal(held.code, 0, held.stdout + held.stderr);
    const { sent: planned, matched } = JSON.parse(held.stdout) as { sent: number; matched: number };
    assert.deepEqual([planned, matched], [sent[1]!.length, sent[1]!.length]);
  });

  test('are not asked to play what no pattern gives to one of them', async () => {
    const { code, stdout } = await replayOn('a,b', '--assign', 'a=/one');
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
    assert.deepEqual([code, error.code], [2, 'assignment-uncovered']);
    assert.ok(error.message.startsWith(`3 files match no sensor, the first is ${join(set.captures, FOUR)}`));
  });

  test('are not asked to play when a pattern names a third', async () => {
    const { code, stdout } = await replayOn('a,b', '--assign', 'c=.*');
    assert.deepEqual(
      [code, (JSON.parse(stdout) as { error: { code: string } }).error.code],
      [2, 'assignment-sensor'],
    );
  });

  test('do not play without a third that has no agent; those that have one are named', async () => {
    const ended = await replayOn('a,b,c', '--sensor-timeout', '300ms');
    assert.equal(refusalOf(ended), 'sensor-unknown');
    assert.match(ended.stderr, /no agent is registered for sensor c; registered: .*a.*b/);
    assert.match(ended.stderr, /capfleet replayer --sensor c/);
  });
});

describe('a sensor', { concurrency: 4 }, () => {
  test('that is playing refuses another run, and plays on undisturbed', async (t) => {
    const agent = await startAgent(t, 'busy');
    // Long enough for another command to start on a busy machine.
    const first = startReplayOn(t, 'busy', '--time-modifier', '0.05');
    await plays(agent);
    const second = await replayOn('busy');
    assert.equal(refusalOf(second), 'sensor-busy');
    assert.match(second.stderr, /busy with run (\S+)\n.*--when-busy wait.*`capfleet stop \1`/);
    assert.equal(playedReport(await first.ended).totals.sent, 35);
  });

  test('refuses plans that do not fit their schema, says so, and plays the next sound one', async (t) => {
    const agent = await startAgent(t, 'target');
    const channel = redisSensorChannel(redis.url, 'holder', silentLogger());
    const timeline = { base: '0', period: '0', speed: '1/1', loops: 1, ...plainTiming };
    const plan = { sensor: 'target', timeline, files: [], policies: plainReplay.policies };
    const others = { validUntil: '4000000000000000000', startedAt: null, orphanTimeoutMs: null };
    const hostile: unknown[] = [
      { v: 99, run: 'r1', epoch: 1, ...others, plan },
      { v: 1, run: '../../r2', epoch: 1, ...others, plan },
      { v: 1, run: 'r3', epoch: 1, ...others, plan: { ...plan, timeline: { ...timeline, speed: '0/1' } } },
      { v: 1, run: 'r4', epoch: 1, ...others, plan: { ...plan, timeline: { ...timeline, loops: -1 } } },
      { v: 1, run: 'r5', epoch: 1, ...others, plan: { ...plan, files: [{ path: '/etc/passwd' }] } },
      { v: 1, run: 'r6', epoch: 1, ...others, plan, shell: 'rm -rf /' },
      { v: 1, run: 'r7', epoch: 1 },
    ];
    for (const job of hostile) await channel.prepare('target', job as PrepareJob);
    await waitFor(
      'all are refused',
      () =>
        agent.output.stderr.split('refused a plan that does not fit its schema').length - 1 ===
        hostile.length,
    );
    const [word] = await channel.listen('r3', 1000);
    assert.ok(word?.type === 'refused' && word.error.code === 'job-invalid', 'whoever waits is told');
    await channel.close();
    assert.equal(playedReport(await replayOn('target')).totals.sent, 35);
  });

  test('reads no file outside its folders', async (t) => {
    await startAgent(t, 'rooted', '--root', join(set.dir, 'elsewhere'), join(set.captures, 'x'));
    assert.equal(refusalOf(await replayOn('rooted')), 'file-outside-roots');
  });

  test('has one agent only: a second one is refused, and the first plays on', async (t) => {
    await startAgent(t, 'twin');
    const second = startCapfleet(t, [
      'replayer',
      '--redis',
      redis.url,
      '--sensor',
      'twin',
      '--interface',
      'null',
    ]);
    await waitFor('the second one ends', () => !second.isRunning(), { timeout: 20_000 });
    const { code, stderr } = await second.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^capfleet: another agent is running as sensor twin\n/m);
    assert.equal(playedReport(await replayOn('twin')).totals.sent, 35);
  });

  test('whose agent is killed while it plays is reported as lost, and the others play to their end', async (t) => {
    const killed = await startAgent(t, 'killed');
    await startAgent(t, 'witness');
    const run = startReplayOn(t, 'killed,witness', ...SLOWLY);
    await plays(killed);
    // A second after its start, which is half a second after its word.
    await sleep(1500);
    killed.signal('SIGKILL');
    const { code, stdout } = await run.ended;
    const report = JSON.parse(stdout) as RunReport;
    assert.deepEqual([code, report.outcome, report.verdict.holds], [4, 'failed', false]);
    const [lost, other] = report.sensors;
    assert.deepEqual([lost?.sensor, lost?.error?.code, lost?.result], ['killed', 'sensor-lost', null]);
    assert.equal(other?.result?.outcome, 'done');
    assert.equal(other.result.accounts.sent, (await numbersOf(sentBy('witness'))).length);
    assertAccounts(report);
  });

  test('whose agent is killed between commit and start takes the start back for all', async (t) => {
    const killed = await startAgent(t, 'doomed');
    await startAgent(t, 'waiting');
    const run = startReplayOn(t, 'doomed,waiting', '--start-at', new Date(Date.now() + 40_000).toISOString());
    await killed.says('"word":"commit"');
    killed.signal('SIGKILL');
    const { code, stdout } = await run.ended;
    const report = JSON.parse(stdout) as RunReport;
    assert.deepEqual([code, report.outcome], [1, 'cancelled']);
    assert.equal(report.sensors[0]?.error?.code, 'sensor-lost');
    assert.deepEqual(await numbersOf(sentBy('waiting')), [], 'nobody plays alone');
    await waitFor('another run is played', async () => (await replayOn('waiting')).code !== 1, {
      timeout: 30_000,
      every: 500,
    });
  });

  test('starts at the instant that was asked for, or is told that it is past', async (t) => {
    await startAgent(t, 'punctual');
    const inTime = new Date(Date.now() + 9000).toISOString();
    const report = playedReport(await replayOn('punctual', '--start-at', inTime));
    assert.equal(report.start, inTime.replace('Z', '000000Z'));
    const refused = await replayOn('punctual', '--start-at', inTime);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /the start 20\S+Z is past: it is 20\S+Z/);
  });

  test('that is told to end while it plays stops, and its report comes', async (t) => {
    const agent = await startAgent(t, 'ending');
    const run = startReplayOn(t, 'ending', ...SLOWLY);
    await plays(agent);
    await waitFor('a packet', async () => (await numbersOf(sentBy('ending'))).length > 0);
    agent.signal('SIGTERM');
    assert.equal((await agent.ended).code, 0);
    const { code, stdout } = await run.ended;
    const report = JSON.parse(stdout) as RunReport;
    assert.deepEqual([code, report.outcome], [4, 'stopped']);
    assert.equal(report.totals.sent, (await numbersOf(sentBy('ending'))).length);
    assertAccounts(report);
  });

  test('plays to its end when the command that asked for it is killed, and takes the next run', async (t) => {
    const agent = await startAgent(t, 'orphan');
    const run = startReplayOn(t, 'orphan', ...SLOWLY);
    await plays(agent);
    run.signal('SIGKILL');
    await agent.says('"word":"report"');
    assert.equal((await numbersOf(sentBy('orphan'))).length, 35);
    assert.equal(playedReport(await replayOn('orphan')).totals.sent, 35);
  });

  test('that was made ready for a run whose command was killed is free again', async (t) => {
    const agent = await startAgent(t, 'ready');
    // One that is registered, and says nothing.
    const client = connect(redis.url, 'test', silentLogger());
    t.after(() => client.disconnect());
    const registration = (await client.get(sensorKey('ready'))) ?? '';
    await client.set(sensorKey('stuck'), registration.replace('"sensor":"ready"', '"sensor":"stuck"'));
    const run = startReplayOn(t, 'ready,stuck', '--prepare-timeout', '6s');
    await agent.says('"word":"ready"');
    run.signal('SIGKILL');
    await run.ended;
    await waitFor('another run is played', async () => (await replayOn('ready')).code !== 1, {
      timeout: 30_000,
      every: 500,
    });
  });

  test('is free again at once when another of its run cannot play', async (t) => {
    await startAgent(t, 'able');
    await startAgent(t, 'unable', '--root', join(set.dir, 'elsewhere'));
    assert.equal(refusalOf(await replayOn('able,unable')), 'file-outside-roots');
    assert.equal(playedReport(await replayOn('able')).totals.sent, 35);
  });
});

test('a run is played and reported though its Redis is killed in the middle and comes back', async (t) => {
  const own = await startRedis(t, { appendOnly: true });
  const out = join(set.dir, 'steady.pcap');
  const agent = await startReplayer(t, own.url, 'steady', ['--interface', `file:${out}`]);
  const where = ['--redis', own.url, '--dump-json', set.dump, '--sensors', 'steady'];
  const run = startCapfleet(t, ['replay', ...where, ...SHORT_LEAD, '--json', ...SLOWLY]);
  await plays(agent);
  await own.kill();
  await own.start();
  assert.equal(playedReport(await run.ended).totals.sent, 35);
  assert.deepEqual(await numbersOf(out), timelineOf(SHAPE, NUMBERS));
});
