// How a committed start is brought to an agent's own clock, and which starts a plan allows.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isAllowed, offsetOf } from '@capfleet/replayer/start-instant';
import { goodClock, plainSystemClock } from '../../support/play-results.ts';

/** Redis is an hour behind the system clock. */
const facts = { ...goodClock, offset: '1000', system: { ...plainSystemClock, offset: '3600000001000' } };
const HOUR = 3_600_000_000_000n;
const validUntil = '5000';

test('each clock has an offset of its own', () => {
  assert.deepEqual([offsetOf(facts, 'redis'), offsetOf(facts, 'system')], [1000n, 1000n + HOUR]);
});

describe('a start', () => {
  const allowed = (clock: 'redis' | 'system', start: bigint, startAt: string | null = null): boolean =>
    isAllowed({ clock, start }, { startAt, validUntil }, facts);

  test('is before the plan is void, on whichever clock it is', () => {
    assert.deepEqual([allowed('redis', 5000n), allowed('redis', 5001n)], [true, false]);
    assert.deepEqual([allowed('system', 5000n + HOUR), allowed('system', 5001n + HOUR)], [true, false]);
  });

  test('that was asked for is that one and no other, on whichever clock it is', () => {
    const asked = '9999999';
    for (const clock of ['redis', 'system'] as const) {
      assert.deepEqual([allowed(clock, 9_999_999n, asked), allowed(clock, 9_999_998n, asked)], [true, false]);
    }
  });
});
