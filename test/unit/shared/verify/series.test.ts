// What plots are made of: bounded, and every packet counted once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { seriesOf, type Series } from '@capfleet/shared/verify/series';
import { errorsOf } from '@capfleet/shared/verify/timing';

function series(planned: readonly number[], received: readonly number[]): Series {
  const [a, b] = [Float64Array.from(planned), Float64Array.from(received)];
  return seriesOf(a, 0, a, errorsOf(a, b));
}

describe('the series of a verification', () => {
  test('are bounded whatever the packets, and keep the extremes and the counts', () => {
    const packet = fc.tuple(fc.nat(10 ** 9), fc.integer({ min: -(10 ** 7), max: 10 ** 7 }));
    fc.assert(
      fc.property(fc.array(packet, { minLength: 2, maxLength: 3000 }), (packets) => {
        const planned = packets.map(([due]) => due - (packets[0]?.[0] ?? 0));
        const received = packets.map(([, late], index) => (planned[index] ?? 0) + late);
        const { deviations, gaps } = errorsOf(Float64Array.from(planned), Float64Array.from(received));
        const found = series(planned, received);
        assert.ok(found.deviation.length <= 600);
        assert.equal(Math.max(...found.deviation.map(({ greatest }) => greatest)), Math.max(...deviations));
        assert.equal(Math.min(...found.deviation.map(({ least }) => least)), Math.min(...deviations));
        assert.ok(found.gaps.length < 60);
        for (const { from, to, count } of found.gaps) {
          const inside = gaps.filter((gap) =>
            to === 0 ? gap === 0 : Math.abs(gap) > from && Math.abs(gap) <= to,
          );
          assert.equal(inside.length, count);
        }
        assert.equal(
          found.gaps.reduce((sum, { count }) => sum + count, 0),
          gaps.length,
        );
        const { rates } = found;
        if (rates) assert.ok(rates.planned.length <= 402 && rates.planned.length === rates.actual.length);
      }),
      { numRuns: 100 },
    );
  });

  test('a size at the edge of a bin belongs to the bin that ends there', () => {
    const { gaps } = series([0, 0, 0], [0, 1000, 0]);
    assert.deepEqual(gaps, [{ from: 10 ** 2.8, to: 1000, count: 2 }]);
  });

  test('rates count what was to be sent and what arrived in stretches of a round length', () => {
    const planned = Array.from({ length: 1000 }, (_, index) => index * 1_000_000);
    const { rates } = series(
      planned,
      planned.map((at) => at + 500),
    );
    assert.equal(rates?.width, 5_000_000);
    assert.ok(rates.planned.slice(0, -1).every((count) => count === 5));
    assert.equal(rates.start, 0);
  });

  test('there is no rate where nothing takes any time', () => {
    assert.equal(series([0, 0], [0, 0]).rates, null);
  });
});
