/**
 * However a pacer's owner ends, the process neither crashes nor hangs: one child process for all the ways that it goes on
 * after, and one for each way that ends it.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { runCase, type Ended } from './support/child.ts';
import './support/native.ts';

const OUTLIVED = {
  'closed while sending': 'close-while-sending',
  'closed twice, and used after': 'close-twice',
  'its worker is terminated while sending': 'worker-terminated',
  'its worker ends by itself while sending': 'worker-ends',
  'two workers send at once': 'two-workers',
  'the handle is collected while sending': 'collected',
  'the handle is collected and the ring still written to': 'ring-outlives-handle',
  'closed while paused, and used after': 'close-while-paused',
  'stopped around a pause': 'stop-races-pause',
  'its worker is terminated while paused': 'worker-terminated-while-paused',
  'closed right after the start, with every option': 'close-with-all-options',
  'many are made and dropped': 'many-dropped',
};

const ENDING = {
  'process.exit while sending': 'exit-while-sending',
  'the event loop runs out while sending': 'fall-off-the-end',
  'an uncaught exception while sending': 'uncaught-exception',
  'process.exit while paused': 'exit-while-paused',
};

/** From sending to the end, on a busy host. A thread takes 50 ms; what hangs would do so until its last frame, for days. */
const SOON_MS = 3000;

function runCases(...names: string[]): Promise<Ended> {
  return runCase(new URL('support/lifecycle-cases.ts', import.meta.url), names, {
    nodeOptions: ['--expose-gc'],
    killAfterMs: 60_000,
  });
}

describe('the process goes on when a pacer', () => {
  let ended: Ended;
  before(async () => {
    ended = await runCases(...Object.values(OUTLIVED));
  });

  for (const [name, key] of Object.entries(OUTLIVED)) {
    test(name, () => {
      const took = new RegExp(`^${key}: (\\d+) ms$`, 'm').exec(ended.output)?.[1];
      assert.ok(Number(took) < SOON_MS, ended.output);
    });
  }

  test('and ends by itself after all of it', () => {
    assert.deepEqual([ended.code, ended.signal], [0, null], ended.output);
  });
});

for (const [name, key] of Object.entries(ENDING)) {
  test(name, async () => {
    const { code, signal, output, ms } = await runCases(key);
    assert.deepEqual([code, signal], [key === 'uncaught-exception' ? 1 : 0, null], output);
    assert.ok(ms < SOON_MS, `${ms} ms`);
  });
}
