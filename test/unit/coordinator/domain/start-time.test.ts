import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideStart } from '@capfleet/coordinator/domain/start-time';
import { goodClock } from '../../../support/play-results.ts';

const now = 1_700_000_000_000_000_000n;
const lead = 2_000_000_000n;
const clocksOf = (...bounds: [string, string][]) =>
  new Map(bounds.map(([sensor, bound]) => [sensor, { ...goodClock, bound }]));

test('a start is now and the lead, where every clock is known well enough', () => {
  const clocks = clocksOf(['a', '1000000'], ['b', '5']);
  assert.equal(decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, clocks }), now + lead);
  assert.equal(decideStart({ now, lead, startAt: null, maxClockBound: 0n, clocks: new Map() }), now + lead);
});

test('a start is refused where a clock is not, with the sensor, its bound and the limit', () => {
  const clocks = clocksOf(['a', '5'], ['b', '1000001']);
  assert.throws(() => decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, clocks }), {
    code: 'clock-bound',
    fields: { sensor: 'b', bound: '1 ms', limit: '1 ms' },
  });
});

test('the sensor named is the one whose clock is known worst', () => {
  const clocks = clocksOf(['a', '2000000'], ['b', '9000000'], ['c', '3000000']);
  assert.throws(() => decideStart({ now, lead, startAt: null, maxClockBound: 1_000_000n, clocks }), {
    fields: { sensor: 'b', bound: '9 ms', limit: '1 ms' },
  });
});

test('a start that was asked for is taken where the lead allows it, and refused with its figures where not', () => {
  const asked = (startAt: bigint): bigint =>
    decideStart({ now, lead, startAt, maxClockBound: 1n, clocks: new Map() });
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
