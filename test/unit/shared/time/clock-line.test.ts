// What is known of the reference clock, held against clocks whose true relation the test makes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ClockLine } from '@capfleet/shared/time/clock-line';
import { estimateOffset, type ClockProbe } from '@capfleet/shared/time/clock-offset';
import { createPrng } from '../../../support/prng.ts';

const SECOND = 1_000_000_000n;
const OFFSET = 1_700_000_000_000_000_000n;

/** The offset of a reference that drifts by so many parts per billion. */
const drifting =
  (ppb: number) =>
  (at: bigint): bigint =>
    OFFSET + (at * BigInt(ppb)) / 1_000_000_000n;

/** A burst of exchanges whose two ways take what they like, each at least 20 µs. */
function measure(at: bigint, offsetAt: (at: bigint) => bigint, random: () => number) {
  const probes: ClockProbe[] = [];
  let now = at;
  for (let count = 0; count < 8; count += 1) {
    const there = 20_000n + BigInt(Math.round(random() ** 4 * 400_000));
    const back = 20_000n + BigInt(Math.round(random() ** 4 * 400_000));
    const asked = now + there;
    // Redis tells whole microseconds.
    const reference = ((asked + offsetAt(asked)) / 1000n) * 1000n;
    probes.push({ sent: now, reference, received: asked + back });
    now = asked + back;
  }
  return estimateOffset(probes, 1000n);
}

function follow(seconds: number, every: number, offsetAt: (at: bigint) => bigint, seed = 1): ClockLine {
  const prng = createPrng(seed);
  const line = new ClockLine();
  for (let at = 0; at < seconds; at += every)
    line.add(measure(BigInt(at) * SECOND, offsetAt, () => prng.uint32() / 2 ** 32));
  return line;
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

describe('the line of a reference clock', () => {
  test('holds the true offset within its bound, between the samples, before and behind them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -400_000, max: 400_000 }),
        fc.integer(),
        fc.integer({ min: 0, max: 3600 }),
        (ppb, seed, ask) => {
          const truth = drifting(ppb);
          const line = follow(300, 5, truth, seed);
          const at = BigInt(ask) * SECOND;
          const { offset, bound } = line.offsetAt(at);
          assert.ok(magnitude(offset - truth(at)) <= bound + 1n, `${offset - truth(at)} ± ${bound}`);
          assert.ok(Math.abs(line.drift.ppb - ppb) <= line.drift.bound + 1);
          assert.deepEqual(line.steps, { count: 0, total: 0n });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('knows a drift of 30 ppm to a few millionths after a minute, and the offset better than one burst', () => {
    const line = follow(64, 1, drifting(30_000));
    assert.ok(Math.abs(line.drift.ppb - 30_000) < 2000, String(line.drift.ppb));
    assert.ok(line.drift.bound < 3000, String(line.drift.bound));
    assert.ok(line.offsetAt(64n * SECOND).bound < 60_000n);
  });

  test('lets go of what is old where the drift itself changes', () => {
    const turn = 100n * SECOND;
    const truth = (at: bigint): bigint =>
      at < turn ? drifting(20_000)(at) : drifting(20_000)(turn) - ((at - turn) * 40_000n) / 1_000_000_000n;
    const line = follow(200, 2, truth);
    const at = 200n * SECOND;
    const { offset, bound } = line.offsetAt(at);
    assert.ok(magnitude(offset - truth(at)) <= bound + 1n);
    assert.equal(line.steps.count, 0);
  });

  test('goes on as it was where the reference clock is set, and says by how much', () => {
    for (const step of [-3n * SECOND, 5_000_000n]) {
      const truth = (at: bigint): bigint => drifting(10_000)(at) + (at > 60n * SECOND ? step : 0n);
      const line = follow(120, 1, truth);
      const { offset, bound } = line.offsetAt(120n * SECOND);
      const error = magnitude(offset - drifting(10_000)(120n * SECOND));
      assert.ok(error <= bound + 200_000n, `${error} ± ${bound}`);
      assert.equal(line.steps.count, 1);
      assert.ok(magnitude(line.steps.total - step) < 200_000n, String(line.steps.total));
    }
  });

  test('takes no sample that is older than the latest, and does not know more after a step than before', () => {
    const line = follow(30, 1, drifting(100_000));
    const before = line.offsetAt(30n * SECOND);
    line.add(measure(5n * SECOND, drifting(100_000), () => 0));
    assert.deepEqual([line.offsetAt(30n * SECOND), line.steps.count], [before, 0]);

    const rough = new ClockLine();
    rough.add({ at: 0n, offset: 0n, bound: 500_000n });
    rough.add({ at: SECOND, offset: 3n * SECOND, bound: 1000n });
    assert.equal(rough.steps.count, 1);
    assert.ok(rough.offsetAt(SECOND).bound >= 501_000n);
  });

  test('does not take what was long ago for what is now', () => {
    const line = follow(64, 1, drifting(0));
    const later = 3600n * SECOND;
    line.add({ at: later, offset: OFFSET + SECOND, bound: 40_000n });
    const { offset, bound } = line.offsetAt(later + 4n * SECOND);
    assert.ok(magnitude(offset - (OFFSET + SECOND)) <= bound);
    assert.ok(bound >= 2_000_000n, 'four seconds at 500 ppm either way');
  });

  test('knows nothing before its first sample, and little after one', () => {
    const line = new ClockLine();
    assert.throws(() => line.offsetAt(0n), RangeError);
    line.add({ at: 0n, offset: 7n, bound: 50_000n });
    assert.deepEqual(line.offsetAt(0n), { offset: 7n, bound: 50_000n });
    // 500 ppm either way.
    assert.deepEqual(line.offsetAt(SECOND), { offset: 7n, bound: 550_000n });
  });
});
