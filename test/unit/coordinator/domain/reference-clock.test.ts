// Which clock a run starts by, by what its sensors say of theirs. Offsets are those of two hosts whose CLOCK_MONOTONIC
// have nothing in common.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chooseClock, type ChosenClock } from '@capfleet/coordinator/domain/reference-clock';
import type { ClockWish, SystemClockFacts } from '@capfleet/shared/contract/reference-clock';
import type { ClockFacts } from '@capfleet/shared/contract/report';

const LIMIT = 5_000_000n;
const MONOTONIC = { a: 1_700_000_000_000_000_000n, b: 1_600_000_000_000_000_000n, c: 5n };
type Sensor = keyof typeof MONOTONIC;

interface Made extends Partial<Pick<SystemClockFacts, 'synchronised' | 'maxErrorUs'>> {
  /** How far the sensor sees its system clock behind Redis, ns, … */
  readonly behind?: bigint;
  /** … and how well that is measured. */
  readonly bound?: bigint;
}

function factsOf(
  sensor: Sensor,
  { behind = 0n, bound = 40_000n, synchronised = true, maxErrorUs = 20_000 }: Made,
): ClockFacts {
  const offset = String(MONOTONIC[sensor]);
  const system = { offset, readBound: '100', synchronised, maxErrorUs, taiOffset: 37 };
  return {
    offset: String(MONOTONIC[sensor] + behind),
    bound: String(bound),
    roundTrip: '0',
    probes: 60,
    system,
  };
}

function choose(made: Partial<Record<Sensor, Made>>, wish: ClockWish = 'auto'): ChosenClock {
  const clocks = Object.entries(made).map(
    ([sensor, each]) => [sensor, factsOf(sensor as Sensor, each)] as const,
  );
  return chooseClock(wish, new Map(clocks), LIMIT);
}

describe('the system clock is taken', () => {
  test('where every one is synchronised and they are at one place by the measurements', () => {
    const { name, reason, behindRedis, bounds } = choose({ a: { behind: 10_000n }, b: { behind: -10_000n } });
    assert.deepEqual([name, behindRedis], ['system', 0n]);
    assert.equal(reason, 'synchronised on every sensor, 0 ns behind the Redis clock');
    // Measured: the distance from the common place, the measurement's own bound and that of the reading.
    assert.deepEqual(Object.fromEntries(bounds), { a: 50_100n, b: 50_100n });
  });

  test('however wrong the Redis clock is, whose host has no part in the run', () => {
    const hour = 3_600_000_000_000n;
    const behind = choose({ a: { behind: hour }, b: { behind: hour + 2000n } });
    assert.deepEqual([behind.name, behind.behindRedis], ['system', hour + 1000n]);
    assert.match(behind.reason, /60 min behind the Redis clock$/);
    const ahead = choose({ a: { behind: -hour } });
    assert.deepEqual([ahead.name, ahead.behindRedis], ['system', -hour]);
    assert.match(ahead.reason, /60 min ahead of the Redis clock$/);
  });

  test('up to where the intervals just touch', () => {
    assert.equal(choose({ a: { behind: 80_200n }, b: {} }).name, 'system');
    assert.equal(choose({ a: { behind: 80_201n }, b: {} }).name, 'redis');
  });

  test("with the kernels' own bounds where those are smaller for the worst sensor, and never with a mixture", () => {
    const far = { bound: 9_000_000n };
    const claimed = choose({ a: { ...far, maxErrorUs: 300 }, b: { ...far, maxErrorUs: 200 } });
    assert.deepEqual(Object.fromEntries(claimed.bounds), { a: 300_100n, b: 200_100n });
    const measured = choose({ a: { maxErrorUs: 300 }, b: { maxErrorUs: 1 } });
    assert.deepEqual(Object.fromEntries(measured.bounds), { a: 40_100n, b: 40_100n });
  });

  test('where a Redis that is too far away could not do it', () => {
    const far = { bound: 9_000_000n, maxErrorUs: 4999 };
    assert.equal(choose({ a: far, b: far }).name, 'system');
  });
});

describe('the system clock is not taken', () => {
  for (const [what, made, reason] of [
    [
      'where one is not synchronised',
      { a: {}, b: { synchronised: false, maxErrorUs: 16_000_000 } },
      'the system clock of sensor b is not synchronised (largest error 16 s)',
    ],
    [
      'where one is somewhere else by the measurements, however well its kernel speaks of it',
      { a: { maxErrorUs: 10 }, b: { behind: 2_000_000_000n, maxErrorUs: 10 } },
      'the system clock of sensor b is 2 s behind that of a, measured to ±80.2 µs',
    ],
    [
      'where one is ahead of the others',
      { a: {}, b: { behind: -1_000_000n }, c: { behind: 1000n } },
      'the system clock of sensor c is 1 ms behind that of b, measured to ±80.2 µs',
    ],
    [
      'where neither kernel nor measurement know it well enough',
      { a: { maxErrorUs: 10 }, b: { bound: 6_000_000n, maxErrorUs: 6000 } },
      'the system clock of sensor b is known only to ±6 ms; the limit is ±5 ms',
    ],
  ] as [string, Partial<Record<Sensor, Made>>, string][]) {
    test(what, () => {
      const { name, behindRedis, bounds, ...chosen } = choose(made);
      assert.deepEqual([name, chosen.reason, behindRedis], ['redis', reason, 0n]);
      for (const [sensor, { bound = 40_000n }] of Object.entries(made))
        assert.equal(bounds.get(sensor), bound);
      assert.throws(() => choose(made, 'system'), { code: 'system-clock', fields: { reason } });
    });
  }

  test('where Redis is asked for', () => {
    const { name, reason } = choose({ a: {}, b: {} }, 'redis');
    assert.deepEqual([name, reason], ['redis', 'asked for']);
  });
});

test('a system clock that is asked for is taken where it can be', () => {
  assert.equal(choose({ a: {}, b: {} }, 'system').name, 'system');
});
