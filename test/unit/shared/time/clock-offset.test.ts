import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { estimateOffset, type ClockProbe } from '@capfleet/shared/time/clock-offset';

/** A reference clock that runs `offset` ahead of the local one, and shows only whole steps of its resolution. */
function probe(sent: bigint, there: bigint, back: bigint, offset: bigint, resolution: bigint): ClockProbe {
  const truth = sent + there + offset;
  return { sent, reference: truth - (truth % resolution), received: sent + there + back };
}

const distance = (a: bigint, b: bigint): bigint => (a < b ? b - a : a - b);
const delay = fc.bigInt({ min: 0n, max: 5_000_000n });
const anyOffset = fc.bigInt({ min: 0n, max: 2_000_000_000_000_000_000n });

describe('the offset between two clocks', () => {
  test('lies within its bound of the truth, however lopsided the way', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 60 }),
        anyOffset,
        fc.constantFrom(1n, 2n, 7n, 1000n, 1_000_000n),
        (ways, offset, resolution) => {
          const probes = ways.map(([there, back], at) =>
            probe(10n ** 12n + BigInt(at) * 20_000_000n, there, back, offset, resolution),
          );
          const estimate = estimateOffset(probes, resolution);
          assert.ok(distance(estimate.offset, offset) <= estimate.bound, JSON.stringify(ways.map(String)));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('comes from the probe with the smallest round trip', () => {
    const probes = [
      probe(0n, 900n, 100n, 50_000n, 1n),
      probe(10_000n, 31n, 29n, 50_000n, 1n),
      probe(20_000n, 0n, 400n, 50_000n, 1n),
    ];
    const estimate = estimateOffset(probes, 1n);
    assert.deepEqual(estimate, { at: 10_030n, offset: 50_001n, bound: 31n, roundTrip: 60n, probes: 3 });
  });

  test('is off by half the round trip at worst, when all the delay is on one way', () => {
    const there = estimateOffset([probe(0n, 1000n, 0n, 77_000n, 1n)], 1n);
    assert.equal(there.offset - 77_000n, 500n);
    const back = estimateOffset([probe(0n, 0n, 1000n, 77_000n, 1n)], 1n);
    assert.equal(back.offset - 77_000n, -500n);
    assert.ok(there.bound >= 500n && there.bound <= 501n);
  });

  test('takes the middle of the step of a coarse clock, and widens the bound by half of it', () => {
    const estimate = estimateOffset([{ sent: 100n, reference: 5000n, received: 100n }], 1000n);
    assert.deepEqual(estimate, { at: 100n, offset: 5400n, bound: 500n, roundTrip: 0n, probes: 1 });
  });

  test('passes over probes whose end is before their begin', () => {
    const probes = [
      { sent: 1000n, reference: 0n, received: 10n },
      { sent: 0n, reference: 500n, received: 100n },
    ];
    assert.equal(estimateOffset(probes, 1n).roundTrip, 100n);
  });

  test('is refused without a usable probe', () => {
    assert.throws(() => estimateOffset([], 1n), RangeError);
    assert.throws(() => estimateOffset([{ sent: 2n, reference: 0n, received: 1n }], 1n), RangeError);
  });

  test('works for a reference behind the local clock', () => {
    const estimate = estimateOffset([{ sent: 10_000n, reference: 1000n, received: 10_020n }], 1n);
    assert.equal(estimate.offset, -9010n);
  });
});
