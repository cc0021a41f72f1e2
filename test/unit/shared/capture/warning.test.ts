import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakingKinds, warningKinds, WarningLog } from '@capfleet/shared/capture/warning';

test('warnings are counted by kind, with the place and words of the first of each', () => {
  const log = new WarningLog();
  assert.deepEqual(log.list(), []);
  log.add('fraction-out-of-range', 100, 'first');
  log.add('cut-off-record', 300, 'cut');
  log.add('fraction-out-of-range', 200, 'second');
  assert.deepEqual(log.list(), [
    { kind: 'fraction-out-of-range', count: 2, offset: 100, message: 'first' },
    { kind: 'cut-off-record', count: 1, offset: 300, message: 'cut' },
  ]);
});

test('warnings of the next stretch are added to those before it', () => {
  const log = new WarningLog();
  log.add('fraction-out-of-range', 100, 'first');
  log.addAll([
    { kind: 'captured-longer-than-wire', count: 4, offset: 500, message: 'longer' },
    { kind: 'fraction-out-of-range', count: 2, offset: 600, message: 'later' },
  ]);
  log.add('captured-longer-than-wire', 700, 'again');
  assert.deepEqual(log.list(), [
    { kind: 'fraction-out-of-range', count: 3, offset: 100, message: 'first' },
    { kind: 'captured-longer-than-wire', count: 5, offset: 500, message: 'longer' },
  ]);
});

test('a kind either breaks the capture off or is an oddity', () => {
  for (const kind of breakingKinds) assert.ok(warningKinds.includes(kind));
  assert.deepEqual(
    warningKinds.filter((kind) => !breakingKinds.has(kind)),
    [
      'trailing-bytes',
      'fraction-out-of-range',
      'captured-longer-than-wire',
      'stamp-out-of-range',
      'no-packets',
      'no-stamps',
      'no-calendar-time',
    ],
  );
});
