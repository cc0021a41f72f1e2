import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placesOf } from '../../../services/web/src/what-is-sent.ts';

test('where packets go is known, being looked up, not to be looked up, or unknown to the coordinator', () => {
  const registered = [{ sensor: 'a', interface: 'eth1' }];
  const told = (...[known, isRefused]: [typeof registered | null, boolean]): unknown[] =>
    placesOf(['a', 'b'], known, isRefused).map(({ text, isKnown }) => [text, isKnown]);
  assert.deepEqual(told(registered, false), [
    ['eth1', true],
    ['not registered', false],
  ]);
  assert.deepEqual(told(null, false), Array(2).fill(['being looked up …', false]));
  for (const before of [null, registered])
    assert.deepEqual(told(before, true), Array(2).fill(['not known at present', false]));
});
