// The folder that files are written to: each is there whole or not at all, and nothing that came first is lost.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { describe, test, type TestContext } from 'node:test';
import type { Failure } from '@capfleet/shared/errors/failure';
import { diskSink } from '@capfleet/shared/sink/disk-sink';
import type { Sink, SinkFile } from '@capfleet/shared/sink/sink';
import { tempDir } from '../../../support/temp-dir.ts';

const MTIME = 1_600_000_000_500_000_000n;

interface Place {
  readonly dir: string;
  readonly sink: Sink;
}

async function place(t: TestContext): Promise<Place> {
  const dir = join(await tempDir(t), 'out');
  return { dir, sink: diskSink(dir) };
}

async function begun(sink: Sink, name: string, overwrite = false): Promise<SinkFile> {
  const file = await sink.create(name, { mtime: MTIME, overwrite });
  file.writable.write('the ');
  file.writable.end('new one');
  await finished(file.writable);
  return file;
}

const failsWith = (code: Failure['code']) => ({ code });

describe('a folder as a sink', () => {
  test('shows a file when it is committed, with its time and the rights of any new file', async (t) => {
    const { dir, sink } = await place(t);
    const file = await begun(sink, 'mon/a.pcap');
    const [beside = '', ...more] = await readdir(join(dir, 'mon'));
    assert.match(beside, /^\.capfleet-.*\.tmp$/, 'nothing has its name before');
    assert.deepEqual(more, []);
    await file.commit();
    assert.deepEqual(await readdir(join(dir, 'mon')), ['a.pcap']);
    const { mtimeMs, mode } = await stat(join(dir, 'mon/a.pcap'));
    assert.equal(mtimeMs, 1_600_000_000_500);
    await writeFile(join(dir, 'any'), '');
    assert.equal(mode, (await stat(join(dir, 'any'))).mode);
    assert.equal(await readFile(join(dir, 'mon/a.pcap'), 'utf8'), 'the new one');
  });

  test('takes the time of writing where none is given', async (t) => {
    const { dir, sink } = await place(t);
    const file = await sink.create('a', { mtime: null, overwrite: false });
    file.writable.end('x');
    await finished(file.writable);
    await file.commit();
    assert.ok((await stat(join(dir, 'a'))).mtimeMs > 1_600_000_001_000);
  });

  test('takes an empty file', async (t) => {
    const { dir, sink } = await place(t);
    const file = await sink.create('a', { mtime: MTIME, overwrite: false });
    file.writable.end();
    await finished(file.writable);
    await file.commit();
    assert.equal((await stat(join(dir, 'a'))).size, 0);
  });

  for (const [when, write] of [
    ['before it was written', () => undefined],
    ['while it is written', (file: SinkFile) => void file.writable.write(Buffer.alloc(1 << 20))],
    ['when it was written', (file: SinkFile) => finished(file.writable.end('x'))],
  ] as const) {
    test(`leaves nothing of a file that is given up ${when}`, async (t) => {
      const { dir, sink } = await place(t);
      const file = await sink.create('a', { mtime: MTIME, overwrite: false });
      await write(file);
      await file.abort();
      await file.abort();
      assert.deepEqual(await readdir(dir), []);
    });
  }

  test('does not replace a file that came meanwhile', async (t) => {
    const { dir, sink } = await place(t);
    const file = await begun(sink, 'a');
    await writeFile(join(dir, 'a'), 'the old one');
    await assert.rejects(file.commit(), failsWith('output-exists'));
    assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'the old one');
    assert.deepEqual(await readdir(dir), ['a'], 'nothing is left beside it');
  });

  test('does not replace a file that is there', async (t) => {
    const { dir, sink } = await place(t);
    await mkdir(dir);
    await writeFile(join(dir, 'a'), 'the old one');
    await assert.rejects(sink.create('a', { mtime: null, overwrite: false }), failsWith('output-exists'));
    assert.deepEqual(await readdir(dir), ['a']);
  });

  test('keeps the old file until the new one is whole, where it is to be replaced', async (t) => {
    const { dir, sink } = await place(t);
    await mkdir(dir);
    await writeFile(join(dir, 'a'), 'the old one');
    const file = await begun(sink, 'a', true);
    assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'the old one');
    await file.commit();
    assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'the new one');
    assert.deepEqual(await readdir(dir), ['a']);
  });

  test('replaces a link and not what it points to', async (t) => {
    const { dir, sink } = await place(t);
    const outside = join(dir, '../outside');
    await mkdir(dir);
    await writeFile(outside, 'the old one');
    await symlink(outside, join(dir, 'a'));
    await (await begun(sink, 'a', true)).commit();
    assert.equal(await readFile(outside, 'utf8'), 'the old one');
    await assert.rejects(readlink(join(dir, 'a')), { code: 'EINVAL' });
    assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'the new one');
  });

  test('follows no link below it, to a folder or to nothing', async (t) => {
    const { dir, sink } = await place(t);
    await mkdir(dir);
    await mkdir(join(dir, '../outside'));
    await symlink('../outside', join(dir, 'link'));
    await symlink('../gone', join(dir, 'dangling'));
    for (const overwrite of [false, true]) {
      for (const name of ['link/a', 'link/b/a', 'dangling/a']) {
        await assert.rejects(
          sink.create(name, { mtime: null, overwrite }),
          failsWith('output-blocked'),
          name,
        );
      }
    }
    await assert.rejects(
      sink.create('dangling', { mtime: null, overwrite: false }),
      failsWith('output-exists'),
    );
    assert.deepEqual(await readdir(join(dir, '../outside')), []);
    assert.deepEqual((await readdir(join(dir, '..'))).sort(), ['out', 'outside']);
  });

  test('makes no file of a folder and no folder of a file', async (t) => {
    const { dir, sink } = await place(t);
    await mkdir(join(dir, 'folder'), { recursive: true });
    await writeFile(join(dir, 'file'), 'the old one');
    const options = { mtime: null, overwrite: true };
    await assert.rejects(sink.create('folder', options), failsWith('output-blocked'));
    await assert.rejects(sink.create('file/a', options), failsWith('output-blocked'));
    assert.equal(await readFile(join(dir, 'file'), 'utf8'), 'the old one');
  });

  test('refuses one file whose path is too long for the system', async (t) => {
    const { sink } = await place(t);
    const name = Array.from({ length: 20 }, () => 'x'.repeat(250)).join('/');
    await assert.rejects(sink.create(name, { mtime: null, overwrite: false }), failsWith('output-blocked'));
  });

  test('may be a link itself, and must not be a file', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'real'));
    await symlink('real', join(dir, 'chosen'));
    await (await begun(diskSink(join(dir, 'chosen')), 'a')).commit();
    assert.deepEqual(await readdir(join(dir, 'real')), ['a']);
    await assert.rejects(
      diskSink(join(dir, 'real/a')).create('b', { mtime: null, overwrite: true }),
      failsWith('output-unwritable'),
    );
  });
});
