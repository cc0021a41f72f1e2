// A run by the beginning of its id.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runOfPrefix } from '@capfleet/cli/run-prefix';

const first = '3f6c2c1e-6a0e-4f0c-9f5e-0d9d7c1f2a34';
const second = '3f6c9999-6a0e-4f0c-9f5e-0d9d7c1f2a34';
const known = (): Promise<{ run: string }[]> => Promise.resolve([{ run: first }, { run: second }]);

test('a run is found by the beginning of its id, where that is of one run alone', async () => {
  assert.equal(await runOfPrefix('3f6c2', known), first);
  assert.equal(await runOfPrefix('3f6c9', known), second);
  await assert.rejects(runOfPrefix('3f6c', known), {
    code: 'run-ambiguous',
    message: `3f6c is the beginning of several runs: ${first}, ${second}`,
  });
});

test('a whole id is taken as it is, and so is the beginning of no run', async () => {
  assert.equal(await runOfPrefix(first, () => Promise.reject(new Error('asked'))), first);
  assert.equal(await runOfPrefix('ffff', known), 'ffff');
});

test('less than four characters are no run', async () => {
  for (const text of ['', '3f6'])
    await assert.rejects(runOfPrefix(text, known), {
      code: 'setting-invalid',
      message: `<run>: "${text}" is no run's id, nor 4 characters or more of its beginning`,
    });
});
