// What an agent learns of clocks during a play, on clocks that the test makes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClockWatch } from '@capfleet/replayer/clock-watch';
import type { ClockOffset } from '@capfleet/shared/time/clock-offset';

const SECOND = 1_000_000_000n;
const READ_BOUND = 60n;
const OFFSET = 1_700_000_000n * SECOND;

/** Clocks that stand still until they are moved. */
function makeClocks() {
  const at = { now: 100n * SECOND, wall: 0n, set: 0n, ppb: 0n, maxErrorUs: 300, answers: true };
  const reference = {
    async measure(probes: number): Promise<ClockOffset> {
      if (!at.answers) await new Promise(() => undefined);
      const offset = OFFSET + (at.now * at.ppb) / SECOND + at.set;
      return { at: at.now, offset, bound: 40_000n, roundTrip: 80_000n, probes };
    },
    close: async () => undefined,
  };
  // Each reading is off by as much as it may be, in turns.
  let turn = 1n;
  const system = {
    read: () => ({
      offset: String(OFFSET + at.wall + (turn = -turn) * READ_BOUND),
      readBound: String(READ_BOUND),
      synchronised: true,
      maxErrorUs: at.maxErrorUs,
      taiOffset: 37,
    }),
  };
  const watch = new ClockWatch(reference, system, () => at.now);
  /** @returns how often due times were given another course */
  const follow = async (seconds: number): Promise<number> => {
    let courses = 0;
    for (let second = 0; second < seconds; second += 1) {
      at.now += SECOND;
      if (await watch.follow()) courses += 1;
    }
    return courses;
  };
  return { at, watch, follow };
}

describe('the clocks of an agent', () => {
  test('are left alone where nothing drifts and nobody sets them', async () => {
    const { at, watch, follow } = makeClocks();
    const { system, ...redis } = await watch.facts();
    assert.deepEqual(
      [system.synchronised, system.readBound, system.maxErrorUs, system.taiOffset],
      [true, '60', 300, 37],
    );
    assert.deepEqual(redis, {
      offset: String(OFFSET),
      bound: '40000',
      roundTrip: '80000',
      probes: 60,
    });
    watch.begin(at.now, OFFSET, 'redis');
    assert.equal(await follow(60), 0);
    assert.equal((await watch.factsAfter()).probes, 12, 'what the latest measurement took');
    const { drift, slewed, referenceSet, wallSet, worstBound } = watch.course();
    assert.deepEqual([drift.ppb, slewed, referenceSet.count, wallSet.count], [0, '0', 0, 0]);
    // At the start, before the drift was known, one second was worth 500 us; never more than that.
    assert.ok(BigInt(worstBound) >= 40_000n && BigInt(worstBound) <= 541_000n, worstBound);
  });

  test('are followed where they drift apart', async () => {
    const { at, watch, follow } = makeClocks();
    at.ppb = 30_000n;
    const { offset } = await watch.facts();
    watch.begin(at.now, BigInt(offset), 'redis');
    const courses = await follow(120);
    const { drift, slewed } = watch.course();
    assert.ok(courses > 0);
    assert.ok(Math.abs(drift.ppb - 30_000) <= drift.bound, JSON.stringify(drift));
    // 120 s at 30 ppm, within what is known.
    assert.ok(Math.abs(Number(slewed) + 3_600_000) < 160_000, slewed);
  });

  test('that are set are told, and followed by nothing', async () => {
    const { at, watch } = makeClocks();
    await watch.facts();
    watch.begin(at.now, OFFSET, 'redis');
    for (let second = 0; second < 40; second += 1) {
      at.now += SECOND;
      if (second === 10) at.wall = 3n * SECOND;
      if (second === 20) at.set = -2n * SECOND;
      if (second === 30) at.wall = SECOND;
      assert.equal(await watch.follow(), null);
    }
    const { wallSet, referenceSet, slewed } = watch.course();
    assert.equal(wallSet.count, 2);
    assert.ok(Math.abs(Number(wallSet.total) - 1e9) <= 4 * Number(READ_BOUND), wallSet.total);
    assert.equal(referenceSet.count, 1);
    assert.ok(Math.abs(Number(referenceSet.total) + 2e9) < 1000, referenceSet.total);
    assert.equal(slewed, '0');
    // For the next start the reference is what it shows now.
    assert.equal((await watch.facts()).offset, String(OFFSET - 2n * SECOND));
  });

  test('that do not answer stop nothing: what is known goes on to be known, less and less well', async () => {
    const { at, watch } = makeClocks();
    for (let second = 0; second < 10; second += 1) {
      at.now += SECOND;
      await watch.facts();
    }
    watch.begin(at.now, OFFSET, 'redis');
    at.answers = false;
    at.now += 30n * SECOND;
    assert.equal(await watch.follow(), null);
    assert.ok(BigInt(watch.course().worstBound) > 200_000n);
  });

  test('tell of an instant of a play what the reference showed, by the course that due times were on', async () => {
    const { at, watch, follow } = makeClocks();
    at.ppb = 30_000n;
    const start = at.now;
    const offset = BigInt((await watch.facts()).offset);
    watch.begin(start, offset, 'redis');
    assert.equal(watch.referenceAt(start), start + offset);
    await follow(600);
    const truth = at.now + OFFSET + (at.now * at.ppb) / SECOND;
    const error = watch.referenceAt(at.now) - truth;
    assert.ok(error < 200_000n && error > -200_000n, String(error));
  });

  test('of an earlier play say nothing of the next', async () => {
    const { at, watch, follow } = makeClocks();
    await watch.facts();
    watch.begin(at.now, OFFSET, 'redis');
    await follow(64);
    // An hour later the reference has been set by a second.
    at.now += 3600n * SECOND;
    at.set = SECOND;
    const { offset, bound } = await watch.facts();
    assert.equal(offset, String(OFFSET + SECOND));
    assert.equal(bound, '40000');
    watch.begin(at.now, BigInt(offset), 'redis');
    at.now += SECOND;
    assert.equal(await watch.follow(), null);
    assert.equal(watch.course().referenceSet.count, 0);
  });

  test('are measured again for a start that is waited for, as they go by then', async () => {
    const { at, watch } = makeClocks();
    await watch.facts();
    at.ppb = 30_000n;
    at.now += 60n * SECOND;
    const drifted = await watch.factsAgain();
    assert.deepEqual(
      [drifted.offset, drifted.bound, drifted.probes],
      [String(OFFSET + (at.now * at.ppb) / SECOND), '40000', 12],
    );
    at.now += 60n * SECOND;
    at.set = SECOND;
    const { offset, probes } = await watch.factsAgain();
    assert.deepEqual([offset, probes], [String(OFFSET + (at.now * at.ppb) / SECOND + SECOND), 60]);
  });

  test("are not followed in a play by the system clock, whatever Redis' clock does", async () => {
    const { at, watch, follow } = makeClocks();
    const { system } = await watch.facts();
    const start = at.now;
    watch.begin(start, BigInt(system.offset), 'system');
    at.ppb = 200_000n;
    at.set = 5n * SECOND;
    assert.equal(await follow(60), 0);
    at.maxErrorUs = 800;
    assert.equal(await follow(60), 0);
    at.maxErrorUs = 200;
    assert.equal(await follow(1), 0);
    assert.equal(watch.referenceAt(at.now), at.now + BigInt(system.offset));
    assert.deepEqual(watch.course(), {
      drift: { ppb: 0, bound: 0 },
      // The largest error that the kernel told of on the way.
      worstBound: '800060',
      slewed: '0',
      referenceSet: { count: 0, total: '0' },
      wallSet: { count: 0, total: '0' },
    });
  });

  test('tell a step of the system clock in a play by it, a small one and one before the start too', async () => {
    const { at, watch, follow } = makeClocks();
    const offset = BigInt((await watch.facts()).system.offset);
    at.wall = -SECOND;
    watch.begin(at.now + 5n * SECOND, offset, 'system');
    assert.equal(await follow(10), 0);
    at.wall += 1000n;
    assert.equal(await follow(10), 0);
    const { wallSet } = watch.course();
    assert.equal(wallSet.count, 2);
    assert.ok(Math.abs(Number(wallSet.total) + 1e9 - 1000) <= 4 * Number(READ_BOUND), wallSet.total);
    assert.equal(watch.referenceAt(at.now), at.now + offset, 'nothing follows it');
  });
});
