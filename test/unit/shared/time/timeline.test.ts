import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { rational, type Rational } from '@capfleet/shared/time/rational';
import { dueOf, SLOWEST, Timeline } from '@capfleet/shared/time/timeline';

const S = 1_000_000_000n;
const DAY = 86_400n * S;
const LARGEST = 2 ** 26 - 1;

interface Stamp {
  seconds: number;
  nanos: number;
}

const toTime = ({ seconds, nanos }: Stamp): bigint => BigInt(seconds) * S + BigInt(nanos);
const toStamp = (time: bigint): Stamp => ({ seconds: Number(time / S), nanos: Number(time % S) });

/** The due time by the class under test; fails where the plain-number part is not exact. */
function dueBy(timeline: Timeline, stamp: Stamp): bigint {
  timeline.locate(stamp.seconds);
  const due = timeline.due(stamp.seconds, stamp.nanos);
  assert.ok(Number.isSafeInteger(due), `${due} is not exact`);
  return timeline.origin + BigInt(due);
}

function ratio(numerator: number, denominator = 1): Rational {
  const value = rational(BigInt(numerator), BigInt(denominator));
  assert.ok(value);
  return value;
}

const nanos = fc.oneof(fc.constantFrom(0, 1, 999_999_999), fc.integer({ min: 0, max: 999_999_999 }));
/** Any stamp that a pcap can hold. */
const stamp = fc.record({ seconds: fc.integer({ min: 0, max: 0xffff_ffff }), nanos });
const part = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: LARGEST }));
const speed = fc
  .tuple(part, part)
  .map(([n, d]) => ratio(n, d))
  .filter(({ numerator, denominator }) => numerator / denominator >= SLOWEST);
const period = fc.bigInt({ min: 0n, max: 2n ** 32n * S });
const runs = { numRuns: 1000 };

describe('the due time by bigint arithmetic', () => {
  test('is the floor of distance over speed', () => {
    fc.assert(
      fc.property(stamp, stamp, period, speed, fc.nat(5), (at, from, length, ratio, loop) => {
        const [time, base] = [toTime(at), toTime(from)];
        const due = dueOf(time, base, length, ratio, loop);
        const distance = (time - base + BigInt(loop) * length) * BigInt(ratio.denominator);
        const n = BigInt(ratio.numerator);
        assert.ok(due * n <= distance && distance < (due + 1n) * n);
      }),
      runs,
    );
  });

  test('is what the definition says for a few by hand', () => {
    assert.equal(dueOf(10n, 0n, 0n, ratio(3)), 3n);
    assert.equal(dueOf(-10n, 0n, 0n, ratio(3)), -4n);
    assert.equal(dueOf(10n, 0n, 0n, ratio(1, 3)), 30n);
    assert.equal(dueOf(37n, 0n, 0n, ratio(37, 100)), 100n);
    assert.equal(dueOf(5n, 2n, 100n, ratio(1), 3), 303n);
  });
});

describe('the timeline', () => {
  test('gives the due times of bigint arithmetic for any stamps, base, speed and loop', () => {
    fc.assert(
      fc.property(
        stamp,
        period,
        speed,
        fc.array(fc.array(stamp, { maxLength: 20 }), { maxLength: 4 }),
        (from, length, ratio, loops) => {
          const base = toTime(from);
          const timeline = new Timeline(base, length, ratio);
          for (const [loop, stamps] of loops.entries()) {
            timeline.enterLoop(loop);
            for (const at of stamps) {
              assert.equal(dueBy(timeline, at), dueOf(toTime(at), base, length, ratio, loop));
            }
          }
        },
      ),
      runs,
    );
  });

  test('does so for stamps that lie close together, as they do in a capture', () => {
    const gaps = fc.array(fc.bigInt({ min: -2n * S, max: 10n * S }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(stamp, period, speed, fc.nat(9), gaps, (from, length, ratio, loop, steps) => {
        const base = toTime(from);
        const timeline = new Timeline(base, length, ratio);
        timeline.enterLoop(loop);
        let time = base;
        for (const step of steps) {
          time += step;
          if (time < 0n) time = 0n;
          assert.equal(dueBy(timeline, toStamp(time)), dueOf(time, base, length, ratio, loop));
        }
      }),
      runs,
    );
  });

  test('never runs backwards where the stamps do not', () => {
    fc.assert(
      fc.property(fc.array(stamp, { minLength: 2 }), speed, (stamps, ratio) => {
        const sorted = stamps.map(toTime).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        const timeline = new Timeline(sorted[0] ?? 0n, 0n, ratio);
        let before = 0n;
        for (const time of sorted) {
          const due = dueBy(timeline, toStamp(time));
          assert.ok(due >= before);
          before = due;
        }
      }),
      runs,
    );
  });

  test('keeps stamps 2 ns apart 2 ns apart after a year, at speed 1', () => {
    const base = 1_600_000_000n * S + 123_456_789n;
    const timeline = new Timeline(base, 0n, ratio(1));
    for (let i = 0n; i < 1000n; i += 1n) {
      const time = base + 365n * DAY + 2n * i;
      assert.equal(dueBy(timeline, toStamp(time)), 365n * DAY + 2n * i);
    }
  });

  test('spreads stamps 1 ns apart by an exact third of a ratio below a nanosecond', () => {
    const timeline = new Timeline(0n, 0n, ratio(3));
    const due = Array.from({ length: 9 }, (_, at) => dueBy(timeline, { seconds: 0, nanos: at }));
    assert.deepEqual(due, [0n, 0n, 0n, 1n, 1n, 1n, 2n, 2n, 2n]);
  });

  test('holds over spans of years, in both directions, also where a plain number would lose digits', () => {
    const base = 1_000_000_000n * S + 1n;
    for (const speed of [
      ratio(1),
      ratio(1, 3),
      ratio(37, 100),
      ratio(100),
      ratio(1, 4_503_599),
      ratio(LARGEST),
    ]) {
      const timeline = new Timeline(base, 0n, speed);
      for (const days of [0n, 104n, 105n, 400n, 20_000n, 104n, -1000n, 3000n]) {
        for (const extra of [0n, 1n, 999_999_999n, S]) {
          const time = base + days * DAY + extra;
          assert.equal(dueBy(timeline, toStamp(time)), dueOf(time, base, 0n, speed));
        }
      }
    }
  });

  test('needs one origin for a run below 52 days at speed 1, and a new one seldom after', () => {
    const base = 1_600_000_000;
    const timeline = new Timeline(BigInt(base) * S, 0n, ratio(1));
    let origins = 0;
    for (let hour = 0; hour < 24 * 400; hour += 1) if (timeline.locate(base + hour * 3600)) origins += 1;
    assert.equal(origins, Math.ceil((24 * 400 * 3600) / 4_503_599));
    assert.equal(new Timeline(BigInt(base) * S, 0n, ratio(1)).origin, 0n);
  });

  test('starts a run at origin 0 where the first packet lies within the first segment', () => {
    const timeline = new Timeline(1_600_000_000n * S + 5n, 0n, ratio(2));
    assert.equal(timeline.locate(1_600_001_000), true);
    assert.equal(timeline.origin, 0n);
    assert.equal(timeline.locate(1_600_001_001), false);
  });

  test('adds the period once per loop, so that loops follow each other without a drift', () => {
    const [base, length] = [5n * S, 7n];
    const third = ratio(3);
    const timeline = new Timeline(base, length, third);
    for (const loop of [0, 1, 2, 3, 1_000_000]) {
      timeline.enterLoop(loop);
      assert.equal(dueBy(timeline, { seconds: 5, nanos: 0 }), (BigInt(loop) * length) / 3n);
    }
  });

  test('gives negative due times before the base', () => {
    const timeline = new Timeline(10n * S, 0n, ratio(2));
    assert.equal(dueBy(timeline, { seconds: 9, nanos: 999_999_999 }), -1n);
    assert.equal(dueBy(timeline, { seconds: 0, nanos: 0 }), -5n * S);
  });

  test('takes the slowest ratio that it names, and refuses a slower one', () => {
    assert.doesNotThrow(() => new Timeline(0n, 0n, ratio(1, 4_503_599)));
    assert.throws(() => new Timeline(0n, 0n, ratio(1, 4_503_600)), RangeError);
  });
});
