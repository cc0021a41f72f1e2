// The parts of a verification against slow and obvious ones.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { disorder } from '@capfleet/shared/verify/order';
import { errorsOf, lateness, quantiles, timing, type Timing } from '@capfleet/shared/verify/timing';

describe('disorder', () => {
  test('is what the longest increasing subsequence leaves out', () => {
    const longest = (places: readonly number[]): number => {
      const ends: number[] = [];
      places.forEach((place, index) => {
        ends[index] =
          1 + Math.max(0, ...places.slice(0, index).flatMap((p, i) => (p < place ? [ends[i] ?? 0] : [])));
      });
      return Math.max(0, ...ends);
    };
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1000), { maxLength: 60 }), (places) => {
        const found = disorder(Int32Array.from(places));
        assert.equal(found.displaced, places.length - longest(places));
        assert.equal(
          found.inversions,
          places.filter((place, index) => index > 0 && place < (places[index - 1] ?? 0)).length,
        );
      }),
    );
  });
});

function timingOf(planned: Float64Array, received: Float64Array): Timing {
  return timing(planned, errorsOf(planned, received));
}

describe('timing', () => {
  test('takes quantiles by nearest rank, of sizes', () => {
    const found = quantiles(Float64Array.from([-4, 3, -2, 1]));
    assert.deepEqual(found, { p50: 2, p90: 4, p99: 4, p999: 4, max: 4 });
    assert.equal(quantiles(new Float64Array(0)).max, 0);
  });

  test('has no drift where the plan takes no time', () => {
    assert.equal(timingOf(Float64Array.of(5, 5), Float64Array.of(0, 9)).drift, null);
  });

  test('sees a drift of a millionth in a day of nanoseconds', () => {
    const planned = Float64Array.from({ length: 1000 }, (_, index) => index * 86_400_000_000);
    const { drift } = timingOf(
      planned,
      planned.map((at) => at + Math.round(at / 1e6)),
    );
    assert.ok(Math.abs((drift ?? 0) - 1) < 1e-6, String(drift));
  });

  test('lateness is deviation and what the first packet was late by, and says when one was early', () => {
    const found = lateness(Float64Array.of(0, 40, -30), 20);
    assert.deepEqual([found.p50, found.max, found.earliest], [20, 60, -10]);
  });
});
