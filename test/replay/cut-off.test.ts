// Sensors that are cut off from Redis by a link that is down, each host a network namespace: what is under way is played.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { createNamespace, runIn, spawnIn, vethPair } from '../support/netns.ts';
import { numbersIn, stamps } from '../support/numbered-set.ts';
import { assertAccounts, makeMappedSet } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const HUB = 'hub';
const PORT = '6400';
/** Ten seconds in all, half of them each sensor's; a packet each 20 ms. */
const PACKETS = 500;
const hubOf = (host: number): string => `10.77.${String(host)}.1`;
const cleanUp = lastFirst({ after });
let set: MapPlace;

before(async () => {
  if (skip !== false) return;
  set = await makeMappedSet(cleanUp, {
    'a.pcap': stamps(0, PACKETS / 2, 40),
    'b.pcap': stamps(20, PACKETS / 2, 40),
  });
  await createNamespace(HUB);
  for (const host of [1, 2]) {
    await createNamespace(nameOf(host));
    await vethPair({
      a: { ns: HUB, name: linkOf(host), address: `${hubOf(host)}/24` },
      b: { ns: nameOf(host), name: 'up0', address: `10.77.${String(host)}.2/24` },
    });
  }
  const settings = ['--port', PORT, '--bind', hubOf(1), hubOf(2), '--protected-mode', 'no', '--save', ''];
  const redis = spawnIn(HUB, 'redis-server', settings, { stdio: 'ignore' });
  cleanUp.after(async () => {
    const ended = once(redis, 'exit');
    redis.kill('SIGKILL');
    await ended;
  });
  const ping = (): Promise<string> =>
    runIn(HUB, 'redis-cli', ['-h', hubOf(1), '-p', PORT, 'ping']).catch(() => '');
  await waitFor('Redis', async () => (await ping()).startsWith('PONG'));
});

function nameOf(host: number): string {
  return `host-${String(host)}`;
}

function linkOf(host: number): string {
  return `to-${String(host)}`;
}

/** The cable is pulled, or put back. */
async function setLink(host: number, state: 'up' | 'down'): Promise<void> {
  await runIn(HUB, 'ip', ['link', 'set', 'dev', linkOf(host), state]);
}

interface Sensor {
  readonly agent: Running;
  sent(): Promise<number[]>;
}

let runs = 0;
async function startSensors(t: AfterHook): Promise<[one: Sensor, two: Sensor]> {
  runs += 1;
  const start = async (host: number): Promise<Sensor> => {
    const out = join(set.dir, `${String(runs)}-${String(host)}.pcap`);
    const agent = await startReplayer(
      t,
      `redis://${hubOf(host)}:${PORT}`,
      sensorOf(host),
      ['--interface', `file:${out}`],
      { elsewhere: nameOf(host) },
    );
    return { agent, sent: async () => numbersIn(await readFile(out)) };
  };
  return Promise.all([start(1), start(2)]);
}

function sensorOf(host: number): string {
  return `s${String(runs)}-${String(host)}`;
}

function startRun(t: AfterHook, lead: string): Running {
  const sensors = `${sensorOf(1)},${sensorOf(2)}`;
  const where = ['--redis', `redis://${hubOf(1)}:${PORT}`, '--dump-json', set.dump, '--sensors', sensors];
  const split = ['--assign', `${sensorOf(1)}=a\\.pcap`, '--assign', `${sensorOf(2)}=b\\.pcap`];
  return startCapfleet(t, ['replay', ...where, ...split, '--lead', lead, '--json'], { elsewhere: HUB });
}

async function reportOf(replay: Running): Promise<RunReport> {
  const { stdout, stderr } = await replay.ended;
  assert.notEqual(stdout, '', stderr);
  const report = JSON.parse(stdout) as RunReport;
  assertAccounts(report);
  return report;
}

describe('a sensor that is cut off', { skip }, () => {
  test('while it plays plays on, and its report comes when it is back', async (t) => {
    const [one, two] = await startSensors(t);
    const replay = startRun(t, '1s');
    await waitFor('packets', async () => (await two.sent().catch(() => [])).length > 10, { timeout: 30_000 });
    await setLink(2, 'down');
    // Longer than its registration lasts.
    await sleep(6500);
    await setLink(2, 'up');
    const report = await reportOf(replay);
    assert.equal(report.outcome, 'done', JSON.stringify(report.verdict.findings));
    assert.deepEqual((await one.sent()).length + (await two.sent()).length, PACKETS);
    assert.equal(report.totals.sent, PACKETS);
  });

  test('after it heard that the start holds starts with the others', async (t) => {
    const [one, two] = await startSensors(t);
    const replay = startRun(t, '3s');
    await two.agent.says('"word":"confirm"', 30_000);
    await setLink(2, 'down');
    await sleep(4000);
    await setLink(2, 'up');
    const report = await reportOf(replay);
    assert.equal(report.totals.sent, PACKETS);
    assert.equal((await one.sent()).length + (await two.sent()).length, PACKETS);
  });
});
