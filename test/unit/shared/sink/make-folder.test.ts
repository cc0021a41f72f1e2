import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '@capfleet/shared/sink/make-folder';
import { tempDir } from '../../../support/temp-dir.ts';

test('a folder is made with those above it, or is there already', async (t) => {
  const path = join(await tempDir(t), 'a/b/c');
  await Promise.all([makeFolder(path), makeFolder(path)]);
  await makeFolder(path, 0o700);
  assert.ok((await stat(path)).isDirectory());
  await makeFolder('/');
});

test('what cannot hold a folder is told, and not tried for ever', async (t) => {
  const file = join(await tempDir(t), 'file');
  await writeFile(file, '');
  await assert.rejects(makeFolder(file), { code: 'EEXIST' });
  await assert.rejects(makeFolder(join(file, 'x')), { code: /EEXIST|ENOTDIR/ });
  await assert.rejects(makeFolder('/proc/x'), { code: 'ENOENT' });
  await assert.rejects(makeFolder('/proc/x/y'), { code: 'ENOENT' });
});
