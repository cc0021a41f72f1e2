// An agent that stands still in the middle of its play, as a stopped process or a host that sleeps does, and comes back:
// it goes on where it should be by then, or not at all where another has its place. Nothing is played twice.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { assertAccounts, makeMappedSet, SHORT_LEAD } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** Sixteen seconds, a packet each 20 ms. */
const PACKETS = 800;
const GAP_MS = 20;

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
before(async () => {
  redis = await startRedis(cleanUp);
  set = await makeMappedSet(cleanUp, { 'a.pcap': stamps(0, PACKETS, GAP_MS) });
});

interface Scene {
  readonly agent: Running;
  readonly replay: Running;
  /** Numbers of the packets that went out so far. */
  sent(): Promise<number[]>;
}

async function playOn(t: AfterHook, sensor: string): Promise<Scene> {
  const out = join(set.dir, `${sensor}.pcap`);
  const agent = await startReplayer(t, redis.url, sensor, ['--interface', `file:${out}`]);
  const where = ['--redis', redis.url, '--dump-json', set.dump, '--sensors', sensor];
  const replay = startCapfleet(t, ['replay', ...where, ...SHORT_LEAD, '--json']);
  const sent = async (): Promise<number[]> => numbersIn(await readFile(out));
  await waitFor(
    'packets',
    async () => agent.output.stderr.includes('"word":"acknowledged"') && (await sent()).length > 10,
    {
      timeout: 30_000,
    },
  );
  return { agent, replay, sent };
}

function reportOf({ stdout, stderr }: { stdout: string; stderr: string }): RunReport {
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as RunReport;
}

describe('an agent that stands still and comes back', { concurrency: true }, () => {
  test('goes on where the timeline is by then, and what it missed is left out and counted', async (t) => {
    const { agent, replay, sent } = await playOn(t, 'one');
    agent.signal('SIGSTOP');
    await sleep(4000);
    const before = await sent();
    agent.signal('SIGCONT');
    const ended = await replay.ended;
    assert.equal(ended.code, 4, ended.stderr);
    const report = reportOf(ended);
    assertAccounts(report);
    const { accounts, warnings, outcome } = report.sensors[0]!.result!;
    assert.equal(outcome, 'done');
    const numbers = await sent();
    assert.equal(numbers.length, accounts.sent);
    assert.deepEqual([accounts.read, accounts.sent + accounts.refused.late], [PACKETS, PACKETS]);
    // One stretch is missing, of at least the time without a lease, and it goes on to the end.
    assert.ok(accounts.refused.late >= 100, String(accounts.refused.late));
    assert.deepEqual(numbers.slice(0, before.length), before);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
    assert.equal(numbers.at(-1), PACKETS - 1);
    assert.ok(warnings.some(({ kind }) => kind === 'away'));
  });

  test('plays no more where another agent has its name meanwhile, and ends', async (t) => {
    const { agent, replay, sent } = await playOn(t, 'two');
    agent.signal('SIGSTOP');
    const before = (await sent()).length;
    // Waits until the name is free; its place never is.
    const elsewhere = { elsewhere: true } as const;
    const other = await startReplayer(t, redis.url, 'two', ['--interface', 'null'], elsewhere);
    agent.signal('SIGCONT');
    const gone = await agent.ended;
    assert.equal(gone.code, 1, gone.stderr);
    assert.match(gone.stderr, /sensor two|two is/);
    const numbers = await sent();
    assert.ok(numbers.length <= before + 64, `${numbers.length} packets, ${before} before`);
    const report = reportOf(await replay.ended);
    const [sensor] = report.sensors;
    assert.match(sensor?.error?.code ?? sensor?.result?.outcome ?? '', /^(sensor-lost|stopped)$/);
    assert.equal(report.verdict.holds, false);
    assert.ok(other.isRunning());
  });
});
