// What a bar on a terminal says of the time that is left.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mapProgressBar } from '@capfleet/cli/show/progress';

test('while nothing is known of the time that is left, the bar says so', async () => {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, cursorTo: () => true });
  const bar = mapProgressBar(stream);
  await sleep(20);
  bar.update({ listed: true, files: 2, filesDone: 0, bytes: 1000, bytesDone: 0 });
  await sleep(150);
  bar.update({ listed: true, files: 2, filesDone: 0, bytes: 1000, bytesDone: 0 });
  bar.stop();
  const shown = String(stream.read());
  assert.match(shown, /ETA -/);
  assert.doesNotMatch(shown, /ETA [A-Z]/);
});
