// Two agents, each with a wall clock of its own that the test sets, on one Redis that has the host's. What they send is
// stamped with their wall clocks, so that a stamp less what its clock was moved by tells when it went out.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { parseInstant } from '@capfleet/shared/time/nanos';
import type { Ended } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { makeMappedSet, playedReport, runReplay } from '../support/replay-cli.ts';
import { startReplayer } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';
import { wallClocks, type WallClock } from '../support/wall-clock.ts';

const MILLISECOND = 1_000_000n;
const SECOND = 1000n * MILLISECOND;
const HOUR = 3600n * SECOND;
/** Of the two clocks when one is set. */
const STEP = 3n * SECOND;
/** Of a packet on a busy machine; a clock that was followed would be off by the step. */
const LATE = SECOND;
const PACKETS = 100;
const GAP_MS = 25;

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
let clocks: { readonly a: WallClock; readonly b: WallClock };

before(async () => {
  redis = await startRedis(cleanUp);
  const gaps = stamps(0, PACKETS, GAP_MS);
  set = await makeMappedSet(cleanUp, { 'a/1.pcap': gaps, 'b/1.pcap': gaps });
  const wallClock = wallClocks(set.dir);
  clocks = { a: wallClock('clock-a'), b: wallClock('clock-b') };
  for (const sensor of ['a', 'b'] as const) {
    const { env } = clocks[sensor];
    await startReplayer(cleanUp, redis.url, sensor, ['--interface', `file:${sentBy(sensor)}`], { env });
  }
});

const sentBy = (sensor: string): string => join(set.dir, `${sensor}.pcap`);

async function stampsOf(sensor: string): Promise<bigint[]> {
  return readPcap(await readFile(sentBy(sensor))).packets.map(({ time }) => time);
}

function replay(...args: string[]): Promise<Ended> {
  const where = ['--redis', redis.url, '--sensors', 'a,b', '--assign', 'a=a/', '--assign', 'b=b/'];
  return runReplay(set, [...where, '--json', ...args]);
}

/** What the stamps of a sensor are ahead of the packets' due times on the clock of the start. */
async function aheadOf({ start }: RunReport, sensor: string): Promise<bigint[]> {
  const origin = parseInstant(start ?? '') ?? 0n;
  return (await stampsOf(sensor)).map((time, place) => time - origin - BigInt(place * GAP_MS) * MILLISECOND);
}

function assertInTime(ahead: readonly bigint[]): void {
  assert.equal(ahead.length, PACKETS);
  // The clocks are known to much less than the millisecond.
  for (const lateness of ahead)
    assert.ok(lateness > -MILLISECOND && lateness < LATE, `${String(lateness)} ns late`);
}

describe('two sensors whose wall clocks are disciplined', () => {
  test('start by them where they agree, and one that is set in the middle changes nothing', async () => {
    // It is the Redis clock that is wrong, by more than a plan would be valid for.
    clocks.a.set(HOUR);
    clocks.b.set(HOUR);
    const running = replay();
    await waitFor('packets', async () => (await stampsOf('b').catch(() => [])).length > 10, {
      timeout: 30_000,
    });
    clocks.b.set(HOUR + STEP);
    const report = playedReport(await running);
    assert.equal(report.clock?.name, 'system');
    assert.match(report.clock.reason, /^synchronised on every sensor, 60 min ahead of the Redis clock$/);
    assertInTime(await aheadOf(report, 'a'));
    const ahead = await aheadOf(report, 'b');
    const isBefore = (lateness: bigint): boolean => lateness < STEP;
    assert.ok(ahead.some(isBefore) && !ahead.every(isBefore), 'set in the middle');
    assertInTime(ahead.map((lateness) => (isBefore(lateness) ? lateness : lateness - STEP)));
    for (const { sensor, result, clockBound } of report.sensors) {
      const { wallSet, slewed } = result!.clockCourse;
      const off = BigInt(wallSet.total) - (sensor === 'b' ? STEP : 0n);
      assert.deepEqual([wallSet.count, slewed], [sensor === 'b' ? 1 : 0, '0']);
      assert.ok(off < MILLISECOND && off > -MILLISECOND, wallSet.total);
      assert.ok(
        BigInt(clockBound ?? 0) > 0n &&
          BigInt(clockBound ?? 0) <= BigInt(result!.clock.bound) * 2n + MILLISECOND,
      );
      assert.deepEqual([result!.clock.system.synchronised, result!.clock.system.taiOffset], [true, 37]);
    }
  });

  test('start by the Redis clock, both at once, where one of theirs has been set', async () => {
    clocks.a.set(0n);
    clocks.b.set(STEP);
    const report = playedReport(await replay());
    assert.equal(report.clock?.name, 'redis');
    assert.match(report.clock.reason, /^the system clock of sensor a is 3 s behind that of b, measured to ±/);
    assertInTime(await aheadOf(report, 'a'));
    assertInTime((await aheadOf(report, 'b')).map((lateness) => lateness - STEP));
    assert.deepEqual(
      report.sensors.map(({ result, clockBound }) => [clockBound, result?.clockCourse.wallSet.count]),
      report.sensors.map(({ result }) => [result?.clock.bound, 0]),
    );
  });

  test('do not start by them where they do not agree, though that is asked for', async () => {
    const { code, stdout } = await replay('--clock', 'system');
    assert.equal(code, 1);
    const { outcome, verdict, clock } = JSON.parse(stdout) as RunReport;
    assert.deepEqual([outcome, clock], ['cancelled', null]);
    assert.match(
      verdict.findings.map(({ text }) => text).join(),
      /the start cannot be by the system clock: the system clock of sensor a is 3 s behind that of b/,
    );
  });
});
