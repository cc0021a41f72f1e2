import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statsLine } from '@capfleet/cli/show/stats';
import { nothingYet } from '@capfleet/cli/show/totals';

test('a line of statistics tells what there is so far, and the rates since the line before', () => {
  const before = { ...nothingYet, sent: 1000, sentBytes: 1_000_000 };
  const now = { sent: 5000, sentBytes: 3_000_000, refused: 1, position: 12_500_000_000n };
  assert.equal(
    statsLine('playing', before, now, 2),
    'playing 12.5 s, 5,000 packets sent (2.9 MiB), 1 not sent, 2,000 packets/s, 8.00 Mbit/s\n',
  );
});
