import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStartAhead, decideStart } from '@capfleet/coordinator/domain/start-time';
import type { Failure } from '@capfleet/shared/errors/failure';

const now = 1_700_000_000_000_000_000n;
const lead = 2_000_000_000n;

test('a start is now and the lead, where every clock is known well enough', () => {
  const bounds = new Map([
    ['a', 1_000_000n],
    ['b', 5n],
  ]);
  assert.equal(decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, bounds }), now + lead);
  assert.equal(decideStart({ now, lead, startAt: null, maxClockBound: 0n, bounds: new Map() }), now + lead);
});

test('a start is refused where a clock is not, with the sensor, its bound and the limit', () => {
  const bounds = new Map([
    ['a', 5n],
    ['b', 1_000_001n],
  ]);
  assert.throws(() => decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, bounds }), {
    code: 'clock-bound',
    fields: { sensor: 'b', bound: '1 ms', limit: '1 ms' },
  });
});

test('the sensor named is the one whose clock is known worst', () => {
  const bounds = new Map([
    ['a', 2_000_000n],
    ['b', 9_000_000n],
    ['c', 3_000_000n],
  ]);
  assert.throws(() => decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, bounds }), {
    fields: { sensor: 'b', bound: '9 ms', limit: '1 ms' },
  });
});

test('a start that was asked for is taken where the lead allows it, and refused with its figures where not', () => {
  const asked = (startAt: bigint): bigint =>
    decideStart({ now, lead, startAt, maxClockBound: 1n, bounds: new Map() });
  assert.equal(asked(now + 3_600_000_000_000n), now + 3_600_000_000_000n);
  assert.equal(asked(now + lead), now + lead);
  assert.throws(() => asked(now + lead - 1n), {
    code: 'start-too-soon',
    fields: {
      start: '2023-11-14T22:13:21.999999999Z',
      now: '2023-11-14T22:13:20.000000000Z',
      lead: '2 s',
    },
  });
});

test('a start that is past is refused as such, and a shorter lead is not advised', () => {
  const asked = (startAt: bigint): bigint =>
    decideStart({ now, lead, startAt, maxClockBound: 1n, bounds: new Map() });
  for (const startAt of [now, now - 1n, 0n]) {
    assert.throws(
      () => asked(startAt),
      ({ code, hint }: Failure) => code === 'start-past' && !hint.includes('--lead'),
    );
  }
});

test('before a clock is chosen, a start is past where no clock that it may be by is before it', () => {
  const refuses = (startAt: bigint | null, clock: 'auto' | 'redis' | 'system', wall: bigint): boolean => {
    try {
      checkStartAhead({ startAt, clock }, now, wall);
      return false;
    } catch (thrown) {
      return (thrown as Failure).code === 'start-past';
    }
  };
  const wallBehind = now - 3_600_000_000_000n;
  assert.equal(refuses(now - 1n, 'auto', now), true);
  assert.equal(refuses(now + 1n, 'auto', now), false);
  assert.equal(refuses(null, 'auto', now), false);
  assert.equal(refuses(now - 1n, 'auto', wallBehind), false);
  assert.equal(refuses(now - 1n, 'system', wallBehind), false);
  assert.equal(refuses(now - 1n, 'redis', wallBehind), true);
  assert.equal(refuses(wallBehind, 'auto', wallBehind), true);
});
