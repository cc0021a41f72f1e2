// Two agents, each with a wall clock of its own that the test sets, on one Redis that has the host's. What they send is
// stamped with their wall clocks, so that a stamp less what its clock was moved by tells when it went out.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
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

/** Sets the clock of a sensor after its first packets. */
async function setMeanwhile(sensor: 'a' | 'b', ahead: bigint): Promise<void> {
  const some = async (): Promise<boolean> => (await stampsOf(sensor).catch(() => [])).length > 10;
  await waitFor('packets', some, { timeout: 30_000 });
  clocks[sensor].set(ahead);
}

/** How often and by how much the wall clocks were set meanwhile, to the millisecond. */
function settingsOf(report: RunReport): [count: number, total: bigint][] {
  return report.sensors.map(({ result }) => {
    const { count, total } = result!.clockCourse.wallSet;
    return [count, BigInt(Math.round(Number(total) / 1e6)) * MILLISECOND];
  });
}

function replay(...args: string[]): Promise<Ended> {
  // What an earlier run has sent is no sign of this one.
  for (const sensor of ['a', 'b']) rmSync(sentBy(sensor), { force: true });
  const where = ['--redis', redis.url, '--sensors', 'a,b', '--assign', 'a=a/', '--assign', 'b=b/'];
  return runReplay(set, [...where, '--json', ...args]);
}

/** What the stamps of a sensor are ahead of the packets' due times on the clock of the start. */
async function aheadOf({ start }: RunReport, sensor: string): Promise<bigint[]> {
  const origin = parseInstant(start ?? '') ?? 0n;
  return (await stampsOf(sensor)).map((time, place) => time - origin - BigInt(place * GAP_MS) * MILLISECOND);
}

/** @param moved what the sensor's wall clock was moved by, one after the other, ns from the clock of the start */
function assertInTime(ahead: readonly bigint[], ...moved: bigint[]): void {
  assert.equal(ahead.length, PACKETS);
  // The clocks are known to much less than the millisecond.
  const places = ahead.map((stamp) =>
    moved.findIndex((by) => stamp - by > -MILLISECOND && stamp - by < LATE),
  );
  assert.deepEqual(
    [...new Set(places)],
    [...moved.keys()],
    `in time, and set in the middle: ${ahead.join()}`,
  );
}

describe('two sensors whose wall clocks are disciplined', () => {
  test('start by them where they agree, and one that is set in the middle changes nothing', async () => {
    // It is the Redis clock that is wrong, by more than a plan would be valid for.
    clocks.a.set(HOUR);
    clocks.b.set(HOUR);
    const running = replay();
    await setMeanwhile('b', HOUR + STEP);
    const report = playedReport(await running);
    assert.equal(report.clock?.name, 'system');
    assert.equal(report.clock.reason, 'synchronised on every sensor, 60 min ahead of the Redis clock');
    assertInTime(await aheadOf(report, 'a'), 0n);
    assertInTime(await aheadOf(report, 'b'), 0n, STEP);
    assert.deepEqual(settingsOf(report), [
      [0, 0n],
      [1, STEP],
    ]);
    for (const { result, clockBound } of report.sensors) {
      const { clock, clockCourse } = result!;
      assert.equal(clockCourse.slewed, '0');
      assert.deepEqual([clock.system.synchronised, clock.system.taiOffset], [true, 37]);
      assert.ok(BigInt(clockBound ?? 0) > 0n, 'known to some bound');
    }
  });

  test('start by the Redis clock, both at once, where one has been set, and is again in the middle', async () => {
    clocks.a.set(0n);
    clocks.b.set(STEP);
    const running = replay();
    await setMeanwhile('a', -STEP);
    const report = playedReport(await running);
    assert.equal(report.clock?.name, 'redis');
    assert.match(report.clock.reason, /^the system clock of sensor a is 3 s behind that of b, measured to ±/);
    assertInTime(await aheadOf(report, 'a'), 0n, -STEP);
    assertInTime(await aheadOf(report, 'b'), STEP);
    assert.deepEqual(settingsOf(report), [
      [1, -STEP],
      [0, 0n],
    ]);
    for (const { result, clockBound } of report.sensors) assert.equal(clockBound, result?.clock.bound);
  });

  test('do not start by them where they do not agree, though that is asked for', async () => {
    const { code, stdout } = await replay('--clock', 'system');
    assert.equal(code, 1);
    const { outcome, clock, error } = JSON.parse(stdout) as RunReport;
    assert.deepEqual([outcome, clock, error?.code], ['cancelled', null, 'system-clock']);
    assert.match(
      error?.message ?? '',
      /: the system clock of sensor a is 6 s behind that of b, measured to ±/,
    );
    assert.match(error?.hint ?? '', /--clock redis/);
  });
});
