import assert from 'node:assert/strict';
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeFolder } from '@capfleet/shared/source/make-folder';
import { tempDir } from '../../../support/temp-dir.ts';

describe('a folder with those above it', () => {
  test('is made, or there already', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'old'));
    await symlink(join(dir, 'old'), join(dir, 'link'));
    for (const name of ['a/b/c', 'a/b/c', 'old', 'link', 'link/d']) await makeFolder(join(dir, name), 0o700);
    for (const name of ['a/b/c', 'old/d']) {
      const facts = await stat(join(dir, name));
      assert.ok(facts.isDirectory());
      assert.equal(facts.mode & 0o777, 0o700);
    }
  });

  test('is refused where there can be none', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'file'), '');
    await symlink(join(dir, 'gone'), join(dir, 'dangling'));
    for (const [path, code] of [
      [join(dir, 'file'), 'EEXIST'],
      [join(dir, 'file/x'), 'ENOTDIR'],
      [join(dir, 'dangling'), 'EEXIST'],
      ['/proc/capfleet/x', 'ENOENT'],
    ] as const)
      await assert.rejects(makeFolder(path), { code }, path);
  });
});
