import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { beginRun } from '@capfleet/coordinator/domain/run-state';
import { statsLine, statsLines } from '@capfleet/cli/show/stats';
import { nothingYet } from '@capfleet/cli/show/totals';

test('a line of statistics tells what there is so far, and the rates since the line before', () => {
  const before = { ...nothingYet, sent: 1000, sentBytes: 1_000_000 };
  const now = { sent: 5000, sentBytes: 3_000_000, refused: 1, position: 12_500_000_000n };
  assert.equal(
    statsLine('playing', before, now, 2),
    'playing 12.5 s, 5,000 packets sent (2.9 MiB), 1 not sent, 2,000 packets/s, 8.00 Mbit/s\n',
  );
});

test('lines that are further apart than a timer can count do not come all at once', async () => {
  const stream = new PassThrough();
  const lines = statsLines(stream, 3_000_000);
  lines.update(beginRun(['a'], false));
  await sleep(30);
  lines.stop();
  assert.equal(stream.read(), null);
});
