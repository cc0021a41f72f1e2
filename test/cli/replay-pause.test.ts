// SIGUSR1 holds a replay from this host, SIGCONT lets it go on: everything after it is later by the time between.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet, numbersOf, playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const PACKETS = 80;
const GAP_MS = 20;
const NOISE_MS = 500;
const ALL = Array.from({ length: PACKETS }, (_, number) => number);

let set: MapPlace;
const cleanUp = lastFirst({ after });

before(async () => {
  set = await makeMappedSet(cleanUp, { 'a.pcap': stamps(0, PACKETS, GAP_MS) });
});

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => ({ size: 0 }))).size;

function startReplay(t: AfterHook, out: string): Running {
  const where = ['--dump-json', set.dump, '--out-interface', `file:${out}`, ...SHORT_LEAD];
  return startCapfleet(t, ['replay', ...where, '--json']);
}

describe('SIGUSR1 and SIGCONT', { concurrency: 2 }, () => {
  test('a replay that is paused sends nothing, and goes on where it was', async (t) => {
    const out = join(set.dir, 'paused.pcap');
    const replay = startReplay(t, out);
    await waitFor('packets', async () => (await sizeOf(out)) > 24 + 5 * 116, { timeout: 60_000 });
    // Twice is once, and a SIGCONT without a pause is nothing.
    replay.signal('SIGUSR1');
    await replay.says('paused', 60_000);
    replay.signal('SIGUSR1');
    await sleep(100);
    const size = await sizeOf(out);
    await sleep(400);
    assert.equal(await sizeOf(out), size);
    replay.signal('SIGCONT');
    await waitFor('more packets', async () => (await sizeOf(out)) > size, { timeout: 60_000 });
    replay.signal('SIGCONT');
    const report = playedReport(await replay.ended);
    const { pauses } = report.sensors[0]!.result!;
    const paused = Number(BigInt(pauses.total)) / 1e6;
    assert.equal(pauses.count, 1);
    assert.ok(paused >= 400, `${paused} ms`);

    assert.deepEqual(await numbersOf(out), ALL);
    const times = readPcap(await readFile(out)).packets.map(({ time }) => Number(time / 1000n) / 1000);
    const whole = times.at(-1)! - times[0]!;
    assert.ok(Math.abs(whole - (PACKETS - 1) * GAP_MS - paused) < NOISE_MS, `${whole} ms, ${paused} paused`);
    const longest = Math.max(...times.slice(1).map((time, i) => time - times[i]!));
    assert.ok(Math.abs(longest - GAP_MS - paused) < NOISE_MS, `${longest} ms, ${paused} paused`);
  });

  test('one that is paused before it begins begins when it goes on, and is ended by SIGINT though it is paused', async (t) => {
    const out = join(set.dir, 'early.pcap');
    const replay = startReplay(t, out);
    await waitFor('it is prepared', async () => (await sizeOf(out)) >= 24, { timeout: 60_000 });
    replay.signal('SIGUSR1');
    await replay.says('paused', 60_000);
    await sleep(1500);
    assert.equal(await sizeOf(out), 24);
    replay.signal('SIGCONT');
    await waitFor('packets', async () => (await sizeOf(out)) > 24, { timeout: 60_000 });
    replay.signal('SIGUSR1');
    await waitFor('the second pause', () => replay.output.stderr.match(/paused/g)?.length === 2);
    replay.signal('SIGINT');
    const { code, stdout } = await replay.ended;
    assert.equal(code, 130);
    const { outcome, sensors } = JSON.parse(stdout) as RunReport;
    // A pause counts when it is over.
    assert.deepEqual([outcome, sensors[0]!.result!.pauses.count], ['stopped', 1]);
    const sent = await numbersOf(out);
    assert.deepEqual(sent, ALL.slice(0, sent.length));
  });

  test('one from a sensor says that it is not paused, and goes on', async (t) => {
    const redis = await startRedis(t);
    const agent = await startReplayer(t, redis.url, 'a');
    const where = ['--dump-json', set.dump, '--sensors', 'a', '--redis', redis.url, ...SHORT_LEAD];
    const replay = startCapfleet(t, ['replay', ...where, '--json']);
    await agent.says('"word":"acknowledged"', 60_000);
    replay.signal('SIGUSR1');
    await replay.says('not paused');
    const report = playedReport(await replay.ended);
    assert.equal(report.sensors[0]!.result!.pauses.count, 0);
  });
});
