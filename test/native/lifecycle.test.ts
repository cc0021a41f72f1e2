/** However a pacer's owner ends, the process neither crashes nor hangs: one child process per way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCase } from './support/child.ts';
import './support/native.ts';

const CASES = {
  'closed while sending': 'close-while-sending',
  'closed twice, and used after': 'close-twice',
  'process.exit while sending': 'exit-while-sending',
  'the event loop runs out while sending': 'fall-off-the-end',
  'an uncaught exception while sending': 'uncaught-exception',
  'its worker is terminated while sending': 'worker-terminated',
  'its worker ends by itself while sending': 'worker-ends',
  'two workers send at once': 'two-workers',
  'the handle is collected while sending': 'collected',
  'the handle is collected and the ring still written to': 'ring-outlives-handle',
  'closed while paused, and used after': 'close-while-paused',
  'process.exit while paused': 'exit-while-paused',
  'stopped around a pause': 'stop-races-pause',
  'its worker is terminated while paused': 'worker-terminated-while-paused',
  'closed right after the start, with every option': 'close-with-all-options',
  'many are made and dropped': 'many-dropped',
};

for (const [name, key] of Object.entries(CASES)) {
  test(name, async () => {
    const ended = await runCase(new URL('support/lifecycle-cases.ts', import.meta.url), key, {
      nodeOptions: ['--expose-gc'],
      // What hangs would do so for days: its last frame is that far off.
      killAfterMs: 60_000,
    });
    const expected = key === 'uncaught-exception' ? 1 : 0;
    assert.deepEqual(
      { code: ended.code, signal: ended.signal },
      { code: expected, signal: null },
      ended.output,
    );
  });
}
