// A comparison as a whole against a slow and obvious reference: any loss, duplication, foreign packets and order.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ReplayComparison, type Conclusion } from '@capfleet/shared/verify/comparison';

interface Arrival {
  readonly digest: number;
  readonly at: number;
}

function compare(
  due: readonly number[],
  arrivals: readonly Arrival[],
  offset: number | null = null,
): Conclusion {
  const comparison = new ReplayComparison();
  due.forEach((time, index) => {
    comparison.addPlanned(index + 1, time);
  });
  for (const { digest, at } of arrivals) comparison.addReceived(digest, at);
  return comparison.conclude(offset);
}

function longestIncreasing(values: readonly number[]): number {
  const ends: number[] = [];
  values.forEach((value, index) => {
    ends.push(
      1 + Math.max(0, ...values.slice(0, index).flatMap((v, i) => (v < value ? [ends[i] ?? 0] : []))),
    );
  });
  return Math.max(0, ...ends);
}

function nearestRank(values: readonly number[], share: number): number {
  const sizes = values.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.max(0, Math.ceil(share * sizes.length) - 1)] ?? 0;
}

/** Which packets arrive, how often, how late, with foreign ones between them (packet −1). */
const scenario = fc.integer({ min: 2, max: 60 }).chain((count) =>
  fc.tuple(
    fc.array(fc.nat(10_000), { minLength: count, maxLength: count }),
    fc.array(fc.tuple(fc.integer({ min: -1, max: count - 1 }), fc.integer({ min: -3000, max: 3000 })), {
      maxLength: 90,
    }),
  ),
);

describe('a comparison', () => {
  test('has the loss, order and times that a slow reference finds', () => {
    fc.assert(
      fc.property(scenario, ([gaps, came]) => {
        let now = 0;
        const due = gaps.map((gap) => (now += gap));
        const arrivals = came
          .map(([packet, late]) => ({
            digest: packet < 0 ? 777_777 : packet + 1,
            at: (due[packet] ?? 5000) + late,
          }))
          .sort((a, b) => a.at - b.at);
        const { comparison: found, series } = compare(due, arrivals, 0);

        // Every packet has its own bytes here.
        const unique = new Set(arrivals.map(({ digest }) => digest).filter((digest) => digest <= due.length));
        const foreign = arrivals.filter(({ digest }) => digest > due.length).length;
        assert.equal(found.matched, unique.size);
        assert.equal(found.lost, due.length - unique.size);
        assert.equal(found.foreign, foreign);
        assert.equal(found.duplicated, arrivals.length - foreign - unique.size);
        assert.equal(found.sent, found.matched + found.lost);
        assert.equal(found.received, found.matched + found.duplicated + found.foreign);
        const rates = series?.rates;
        if (rates) {
          assert.equal(
            rates.planned.reduce((sum, count) => sum + count, 0),
            due.length,
          );
          assert.equal(
            rates.actual.reduce((sum, count) => sum + count, 0),
            found.matched,
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test('without duplicates, order, deviation, gaps, lateness and consistency are the formulas to the digit', () => {
    const once = fc.integer({ min: 2, max: 60 }).chain((count) =>
      fc.tuple(
        fc.array(fc.nat(10_000), { minLength: count, maxLength: count }),
        fc.array(fc.option(fc.integer({ min: -3000, max: 30_000 }), { freq: 4 }), {
          minLength: count,
          maxLength: count,
        }),
      ),
    );
    fc.assert(
      fc.property(once, ([gaps, lateness]) => {
        let now = 0;
        const due = gaps.map((gap) => (now += gap));
        const came = due
          .flatMap((time, index) => {
            const late = lateness[index];
            return late == null ? [] : [{ index, digest: index + 1, at: time + late }];
          })
          .sort((a, b) => a.at - b.at);
        const { comparison: found } = compare(due, came, 0);
        const places = came.map(({ index }) => index);
        const inversions = places.filter((place, i) => i > 0 && place < (places[i - 1] ?? 0)).length;
        const displaced = places.length - longestIncreasing(places);
        assert.deepEqual(found.order, { inversions, displaced });
        assert.equal(found.lost, due.length - came.length);

        const inPlan = [...came].sort((a, b) => a.index - b.index);
        const [first] = inPlan;
        if (!first || inPlan.length < 2) {
          assert.equal(found.timing, null);
          return;
        }
        const a = inPlan.map(({ index }) => (due[index] ?? 0) - (due[first.index] ?? 0));
        const b = inPlan.map(({ at }) => at - first.at);
        const deviations = b.map((time, index) => time - (a[index] ?? 0));
        const gapErrors = deviations.slice(1).map((deviation, index) => deviation - (deviations[index] ?? 0));
        for (const [share, name] of [
          [0.5, 'p50'],
          [0.9, 'p90'],
          [0.99, 'p99'],
          [0.999, 'p999'],
          [1, 'max'],
        ] as const) {
          assert.equal(found.timing?.deviation[name], nearestRank(deviations, share));
          assert.equal(found.timing.gapError[name], nearestRank(gapErrors, share));
          assert.equal(
            found.lateness?.[name],
            nearestRank(
              inPlan.map(({ index, at }) => at - (due[index] ?? 0)),
              share,
            ),
          );
        }
        const sum = (values: readonly number[]): number =>
          values.reduce((all, value) => all + Math.abs(value), 0);
        const [durationA, durationB] = [a, b].map((times) => Math.max(...times) - Math.min(...times)) as [
          number,
          number,
        ];
        const expected = {
          U: 1 - (2 * came.length) / (due.length + came.length),
          O: displaced / (came.length - 1),
          L: Math.min(1, sum(deviations) / (came.length * Math.max(durationA, durationB)) || 0),
          I: Math.min(1, sum(gapErrors) / (durationA + durationB) || 0),
        };
        for (const part of ['U', 'O', 'L', 'I'] as const)
          assert.ok(Math.abs(found.consistency[part]! - expected[part]) < 1e-9, part);
        const { U, O, L, I } = expected;
        const kappa = 1 - Math.sqrt(U ** 2 + O ** 2 + L ** 2 + I ** 2) / 2;
        assert.ok(Math.abs(found.consistency.kappa - kappa) < 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  test('lateness is there only where one clock tells both ends', () => {
    const arrivals = [
      { digest: 1, at: 1_000_100 },
      { digest: 2, at: 1_001_300 },
    ];
    assert.equal(compare([0, 1000], arrivals).comparison.lateness, null);
    const { lateness } = compare([0, 1000], arrivals, 1_000_000).comparison;
    assert.deepEqual([lateness?.p50, lateness?.max, lateness?.earliest], [100, 300, 100]);
    assert.ok(compare([0, 1000], arrivals, 1_000_200).comparison.lateness?.earliest === -100);
  });

  test('nothing received is all lost, and no figure of time', () => {
    const { comparison, series } = compare([0, 5], []);
    assert.deepEqual(
      [comparison.lost, comparison.timing, comparison.lateness, series],
      [2, null, null, null],
    );
  });
});
