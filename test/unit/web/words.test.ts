import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { disciplineText, offsetText } from '../../../services/web/src/clock-words.ts';
import { between, bytes, duration, instant, percent, shortCount } from '../../../services/web/src/format.ts';
import { routeOf } from '../../../services/web/src/route.ts';

test('addresses lead to views', () => {
  assert.deepEqual(routeOf(''), { view: 'sets' });
  assert.deepEqual(routeOf('#/'), { view: 'sets' });
  assert.deepEqual(routeOf('#/sets/a%2Eb'), { view: 'set', name: 'a.b' });
  assert.deepEqual(routeOf('#/maps/1-2'), { view: 'map', id: '1-2' });
  assert.deepEqual(routeOf('#/runs'), { view: 'runs' });
  assert.deepEqual(routeOf('#/runs/x'), { view: 'run', id: 'x' });
  assert.deepEqual(routeOf('#/sensors'), { view: 'sensors' });
  for (const hash of ['#/sensors/x', '#/runs/x/y', '#/else', '#/sets/a/%zz'])
    assert.deepEqual(routeOf(hash), { view: 'unknown' });
});

test('spans of time, sizes and counts are told as a person reads them', () => {
  assert.deepEqual([0, 5, 999.6, 1e6, 1.5e9, 7.99e9, 1.8e11, 5.4e12, 3 * 8.64e13, -2e6].map(duration), [
    '0 s',
    '5 ns',
    '1 µs',
    '1 ms',
    '1.5 s',
    '7.99 s',
    '3 min',
    '1.5 h',
    '3 d',
    '-2 ms',
  ]);
  assert.equal(duration('54500'), '54.5 µs');
  assert.deepEqual([0, 999, 1000, 4.2e12].map(bytes), ['0 B', '999 B', '1.00 KB', '4.20 TB']);
  assert.deepEqual([0.5, 9999, 12_345].map(shortCount), ['0.5', '9,999', '12.3K']);
  assert.equal(percent(999, 1000), '99.9 %');
  assert.equal(percent(0, 0), '0 %');
});

test('instants are told to the millisecond', () => {
  assert.equal(instant('2026-11-24T09:00:00.000000001Z'), '2026-11-24 09:00:00 UTC');
  assert.equal(instant('2026-11-24T09:00:00.123456789Z'), '2026-11-24 09:00:00.123 UTC');
  assert.equal(instant(null), '—');
  assert.equal(between('2026-11-24T09:00:00Z', '2026-11-24T09:00:01.5Z'), 1.5e9);
});

test('clocks are told with their bound', () => {
  const of = (offset: string): Pick<Registration, 'clock'> => ({
    clock: {
      offset: '1000000',
      bound: '30000',
      roundTrip: '60000',
      probes: 30,
      system: { offset, readBound: '500', synchronised: true, maxErrorUs: 250, taiOffset: 37 },
    },
  });
  assert.equal(offsetText(of('1004000')), '4 µs ahead ± 30.5 µs');
  assert.equal(offsetText(of('996000')), '4 µs behind ± 30.5 µs');
  assert.equal(offsetText({ clock: null }), 'not measured yet');
  const system = of('0').clock!.system;
  assert.equal(disciplineText({ systemClock: system }), 'disciplined, within 250 µs');
  assert.equal(disciplineText({ systemClock: { ...system, synchronised: false } }), 'not disciplined');
  assert.equal(disciplineText({ systemClock: null }), 'unknown');
});
