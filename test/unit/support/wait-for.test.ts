/** Waiting ends with the first answer, or with an error that tells what was waited for. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

test('the first answer ends the wait', async () => {
  let looks = 0;
  assert.equal(
    await waitFor('three looks', () => (++looks === 3 ? 'here' : undefined), { every: 1 }),
    'here',
  );
  assert.equal(looks, 3);
});

test('zero is an answer', async () => {
  assert.equal(await waitFor('a number', () => 0), 0);
});

test('the deadline ends the wait with what was waited for and why', async () => {
  const cause = new Error('not yet');
  const waiting = waitFor('the impossible', () => Promise.reject(cause), { timeout: 5, every: 1 });
  await assert.rejects(waiting, { message: 'waited 5 ms in vain: the impossible', cause });
});

test('a temporary folder is there for the test and gone after it', async (t) => {
  let dir = '';
  await t.test('inner', async (inner) => {
    dir = await tempDir(inner);
    assert.ok(existsSync(dir));
  });
  assert.ok(!existsSync(dir));
});
