// The parts of a verification against slow and obvious ones.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Matching } from '@capfleet/shared/verify/matching';
import { disorder } from '@capfleet/shared/verify/order';
import { quantiles, timing } from '@capfleet/shared/verify/timing';

describe('matching', () => {
  test('gives each received packet the first sent one of its bytes that is left', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 3000 }),
        fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 3000 }),
        (sent, received) => {
          const matching = new Matching();
          for (const digest of sent) matching.add(digest * 2 ** 31);
          const left = new Map<number, number[]>();
          sent.forEach((digest, index) => left.set(digest, [...(left.get(digest) ?? []), index]));
          for (const digest of received) {
            assert.equal(matching.take(digest * 2 ** 31), left.get(digest)?.shift() ?? -1);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('holds many different packets', () => {
    const matching = new Matching();
    for (let index = 0; index < 100_000; index += 1) matching.add(index * 7919 + 1);
    for (let index = 99_999; index >= 0; index -= 1) assert.equal(matching.take(index * 7919 + 1), index);
  });
});

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

describe('timing', () => {
  test('takes quantiles by nearest rank, of sizes', () => {
    const found = quantiles(Float64Array.from([-4, 3, -2, 1]));
    assert.deepEqual(found, { p50: 2, p90: 4, p99: 4, p999: 4, max: 4 });
    assert.equal(quantiles(new Float64Array(0)).max, 0);
  });

  test('has no drift where the plan takes no time', () => {
    assert.equal(timing(Float64Array.of(5, 5), Float64Array.of(0, 9)).drift, null);
  });

  test('sees a drift of a millionth in a day of nanoseconds', () => {
    const planned = Float64Array.from({ length: 1000 }, (_, index) => index * 86_400_000_000);
    const { drift } = timing(
      planned,
      planned.map((at) => at + Math.round(at / 1e6)),
    );
    assert.ok(Math.abs((drift ?? 0) - 1) < 1e-6, String(drift));
  });
});
