// What an interface counted, held against what was sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InterfaceCounts } from '@capfleet/shared/contract/report';
import { checkInterface } from '@capfleet/coordinator/domain/interface-check';
import { accounts, playResult } from '../../../support/play-results.ts';

function check(counted: Partial<InterfaceCounts>, known: Record<string, number> = {}) {
  const lost = Object.values(known).reduce((sum, count) => sum + count, 0);
  const refused = { ...accounts().refused, ...known };
  return checkInterface(
    playResult({
      accounts: accounts({ read: 10 + lost, sent: 10, refused }),
      interfaceCounters: { packets: 10, dropped: 0, errors: 0, ...counted },
    }),
  );
}

test('where the counters are not known there is nothing to say', () => {
  assert.equal(checkInterface(playResult()), null);
});

test('the same count holds', () => {
  assert.deepEqual(check({}), { holds: true, text: 'the interface counted 10 packets, 10 were sent' });
});

test('fewer are lost, and the verdict does not hold', () => {
  const found = check({ packets: 7, dropped: 3 });
  assert.equal(found?.holds, false);
  assert.equal(
    found.text,
    'the interface counted 7 packets, 10 were sent; 3 are lost; it dropped 3 and failed with 0',
  );
});

test('more are not of this run: that is said, and no fault', () => {
  const found = check({ packets: 12 });
  assert.equal(found?.holds, true);
  assert.match(found.text, /2 are not of this run$/);
});

test('what it dropped may be ours though the sum fits', () => {
  assert.equal(check({ packets: 12, dropped: 1 })?.holds, false);
  assert.equal(check({ errors: 1 })?.holds, false);
});

test('what is known not to have been taken is not held against it twice', () => {
  assert.equal(check({ dropped: 3 }, { 'link-down': 2, 'no-buffers': 1 })?.holds, true);
  assert.equal(check({ dropped: 4 }, { 'link-down': 2, 'no-buffers': 1 })?.holds, false);
});
