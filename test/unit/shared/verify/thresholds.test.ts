// Limits: each is judged by its own figure, and what cannot be measured does not hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { defaultLimits, judge, type ComparisonLimits } from '@capfleet/shared/verify/thresholds';

const quantiles = { p50: 10, p90: 20, p99: 30, p999: 40, max: 50 };
const comparison: Comparison = {
  sent: 10,
  received: 12,
  matched: 9,
  lost: 1,
  duplicated: 2,
  foreign: 3,
  timed: true,
  order: { inversions: 4, displaced: 5 },
  timing: {
    deviation: quantiles,
    gapError: { ...quantiles, p99: 31, max: 51 },
    endDeviation: -7,
    drift: -1.5,
  },
  lateness: { ...quantiles, p99: 32, max: 52, earliest: 1 },
  duration: { planned: 100, received: 100 },
  consistency: { U: 0, O: 0, L: 0, I: 0, kappa: 0.9 },
};
const nothing = Object.fromEntries(
  Object.keys(defaultLimits).map((name) => [name, null]),
) as unknown as ComparisonLimits;

const figures: Record<keyof ComparisonLimits, number> = {
  loss: 1,
  duplicates: 2,
  foreign: 3,
  inversions: 4,
  displaced: 5,
  deviation: 50,
  deviationP99: 30,
  gapError: 51,
  gapErrorP99: 31,
  lateness: 52,
  latenessP99: 32,
  drift: 1.5,
  consistency: 0.9,
};

for (const [name, figure] of Object.entries(figures)) {
  test(`${name} is kept at its limit and not beyond`, () => {
    const step = name === 'consistency' ? -0.1 : 0.1;
    const [at] = judge(comparison, { ...nothing, [name]: figure }, 'a');
    const [beyond] = judge(comparison, { ...nothing, [name]: figure - step }, 'a');
    assert.deepEqual([at?.holds, beyond?.holds, at?.sensor], [true, false, 'a']);
  });
}

test('by default every packet must have come once and in order, whoever else used the wire', () => {
  const whole = { ...comparison, lost: 0, duplicated: 0, order: { inversions: 0, displaced: 0 } };
  assert.ok(judge(whole, defaultLimits, null).every(({ holds }) => holds));
  assert.deepEqual(
    judge(comparison, defaultLimits, null).map(({ check, holds }) => [check, holds]),
    [
      ['loss', false],
      ['duplicates', false],
      ['inversions', false],
    ],
  );
});

test('a time that nobody could measure does not hold', () => {
  const [found] = judge({ ...comparison, lateness: null }, { ...nothing, lateness: 1e9 }, null);
  assert.deepEqual([found?.holds, found?.text], [false, 'not measurable (limit 1 s)']);
});
