import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { claimFile } from '@capfleet/cli/atomic-file';
import { tempDir } from '../../support/temp-dir.ts';

async function* text(...pieces: string[]): AsyncGenerator<string> {
  yield* pieces;
}

describe('a file that is written whole or not at all', () => {
  test('is there with all its text after the commit, and nothing beside it', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'dump.json');
    const file = await claimFile(path);
    await assert.rejects(stat(path), { code: 'ENOENT' });
    await file.commit(text('n', 'ew'));
    assert.equal(await readFile(path, 'utf8'), 'new');
    assert.deepEqual(await readdir(dir), ['dump.json']);
  });

  test('leaves the old one as it is until the commit, and keeps its mode', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'dump.json');
    await writeFile(path, 'old');
    await chmod(path, 0o640);
    const file = await claimFile(path);
    assert.equal(await readFile(path, 'utf8'), 'old');
    await file.commit(text('n', 'ew'));
    assert.equal(await readFile(path, 'utf8'), 'new');
    assert.equal((await stat(path)).mode & 0o777, 0o640);
  });

  test('that is never written leaves the old one and nothing else', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'dump.json');
    await writeFile(path, 'old');
    await claimFile(path);
    assert.equal(await readFile(path, 'utf8'), 'old');
    assert.deepEqual(await readdir(dir), ['dump.json']);
  });

  test('is refused before the work begins where it cannot be written', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'file'), '');
    await mkdir(join(dir, 'folder'));
    for (const name of ['gone/dump.json', 'file/dump.json', 'folder']) {
      const path = join(dir, name);
      await assert.rejects(
        claimFile(path),
        (thrown: Error & { code: string; fields: Record<string, unknown> }) => {
          assert.equal(thrown.code, 'dump-unwritable');
          assert.equal(thrown.fields['path'], path);
          return true;
        },
      );
    }
    assert.deepEqual((await readdir(dir)).sort(), ['file', 'folder']);
  });

  test('is never put in the place of what is no regular file', async () => {
    await assert.rejects(claimFile('/dev/null'), { code: 'dump-unwritable' });
    assert.ok((await stat('/dev/null')).isCharacterDevice());
  });

  test('goes where a link points to, and the link stays', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'target'), 'old');
    await symlink('target', join(dir, 'link'));
    await (await claimFile(join(dir, 'link'))).commit(text('n', 'ew'));
    assert.equal(await readFile(join(dir, 'target'), 'utf8'), 'new');
    assert.ok((await lstat(join(dir, 'link'))).isSymbolicLink());
  });

  test('that cannot be put in place in the end leaves nothing behind, and says so', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'dump.json');
    const file = await claimFile(path);
    // A folder has come to lie where the file is to go.
    await mkdir(join(path, 'inside'), { recursive: true });
    await assert.rejects(file.commit(text('n', 'ew')), { code: 'dump-unwritable' });
    assert.deepEqual(await readdir(dir), ['dump.json']);
  });
});
