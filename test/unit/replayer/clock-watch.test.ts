// What an agent learns of clocks during a play, on clocks that the test makes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClockWatch } from '@capfleet/replayer/clock-watch';
import type { ClockOffset } from '@capfleet/shared/time/clock-offset';

const SECOND = 1_000_000_000n;
const OFFSET = 1_700_000_000n * SECOND;

/** Clocks that stand still until they are moved. */
function makeClocks() {
  const at = { now: 100n * SECOND, wall: 0n, set: 0n, ppb: 0n, answers: true };
  const reference = {
    async measure(probes: number): Promise<ClockOffset> {
      if (!at.answers) await new Promise(() => undefined);
      const offset = OFFSET + (at.now * at.ppb) / SECOND + at.set;
      return { at: at.now, offset, bound: 40_000n, roundTrip: 80_000n, probes };
    },
    close: async () => undefined,
  };
  const watch = new ClockWatch(reference, {
    monotonicNow: () => at.now,
    wallNow: () => ((at.now + OFFSET + at.wall) / 1_000_000n) * 1_000_000n,
  });
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
    assert.deepEqual(await watch.facts(), {
      offset: String(OFFSET),
      bound: '40000',
      roundTrip: '80000',
      probes: 60,
    });
    watch.begin(at.now, OFFSET);
    assert.equal(await follow(60), 0);
    const { drift, slewed, referenceSet, wallSet, worstBound } = watch.course();
    assert.deepEqual([drift.ppb, slewed, referenceSet.count, wallSet.count], [0, '0', 0, 0]);
    // At the start, before the drift was known, one second was worth 500 us; never more than that.
    assert.ok(BigInt(worstBound) >= 40_000n && BigInt(worstBound) <= 541_000n, worstBound);
  });

  test('are followed where they drift apart', async () => {
    const { at, watch, follow } = makeClocks();
    at.ppb = 30_000n;
    const { offset } = await watch.facts();
    watch.begin(at.now, BigInt(offset));
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
    watch.begin(at.now, OFFSET);
    for (let second = 0; second < 40; second += 1) {
      at.now += SECOND;
      if (second === 10) at.wall = 3n * SECOND;
      if (second === 20) at.set = -2n * SECOND;
      if (second === 30) at.wall = SECOND;
      assert.equal(await watch.follow(), null);
    }
    const { wallSet, referenceSet, slewed } = watch.course();
    assert.deepEqual(wallSet, { count: 2, total: String(SECOND) });
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
    watch.begin(at.now, OFFSET);
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
    watch.begin(start, offset);
    assert.equal(watch.referenceAt(start), start + offset);
    await follow(600);
    const truth = at.now + OFFSET + (at.now * at.ppb) / SECOND;
    const error = watch.referenceAt(at.now) - truth;
    assert.ok(error < 200_000n && error > -200_000n, String(error));
  });

  test('of an earlier play say nothing of the next', async () => {
    const { at, watch, follow } = makeClocks();
    await watch.facts();
    watch.begin(at.now, OFFSET);
    await follow(64);
    // An hour later the reference has been set by a second.
    at.now += 3600n * SECOND;
    at.set = SECOND;
    const { offset, bound } = await watch.facts();
    assert.equal(offset, String(OFFSET + SECOND));
    assert.equal(bound, '40000');
    watch.begin(at.now, BigInt(offset));
    at.now += SECOND;
    assert.equal(await watch.follow(), null);
    assert.equal(watch.course().referenceSet.count, 0);
  });
});
