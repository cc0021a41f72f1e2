import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { disk } from '@capfleet/shared/source/disk';
import { isInside } from '@capfleet/shared/source/roots';
import { matches } from '@capfleet/shared/source/source';
import { tempDir } from '../../../support/temp-dir.ts';

const all = { suffix: '', pattern: null };

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of disk.list(folder, all)) found.push(name);
  return found.sort();
}

const NOBODY = 65_534;

/** Does something as a user who owns nothing: root may read everything. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(NOBODY);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe('the disk', () => {
  test('follows links to files, not to folders, and passes over links that lead nowhere', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'set'));
    await mkdir(join(dir, 'other'));
    await writeFile(join(dir, 'other', 'far.pcap'), 'far');
    await writeFile(join(dir, 'set', 'own.pcap'), 'own');
    await symlink('../other/far.pcap', join(dir, 'set', 'linked.pcap'));
    await symlink('../other', join(dir, 'set', 'folder'));
    await symlink('nowhere', join(dir, 'set', 'dangling.pcap'));
    await symlink('.', join(dir, 'set', 'circle'));
    assert.deepEqual(await names(join(dir, 'set')), ['linked.pcap', 'own.pcap']);
    const linked = await disk.stat(join(dir, 'set', 'linked.pcap'));
    assert.equal(linked.size, 3);
  });

  test('lists a folder given by a relative path, a trailing slash or a link, with full paths', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'set'));
    await writeFile(join(dir, 'set', 'a.pcap'), 'a');
    await symlink('set', join(dir, 'link'));
    for (const folder of [`${dir}/set/`, join(dir, 'link'), relative(process.cwd(), join(dir, 'set'))]) {
      for await (const { name, path } of disk.list(folder, all)) {
        assert.equal(name, 'a.pcap');
        assert.ok(path.startsWith('/') && !path.includes('//'), path);
      }
      assert.deepEqual(await names(folder), ['a.pcap']);
    }
  });

  test('lists many folders deep and wide', async (t) => {
    const dir = await tempDir(t);
    const expected: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      const folder = join(dir, ...Array.from({ length: i }, (_, depth) => `d${depth}`));
      await mkdir(folder, { recursive: true });
      for (const name of ['x.pcap', 'y.pcap']) {
        await writeFile(join(folder, name), '');
        expected.push(relative(dir, join(folder, name)));
      }
    }
    assert.deepEqual(await names(dir), expected.sort());
  });

  test('keeps the nanoseconds of a modification', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'a'), 'x');
    const { version } = await disk.stat(join(dir, 'a'));
    assert.ok(version.length >= 19 && BigInt(version) > 1_600_000_000_000_000_000n);
  });

  test('says that it may not read a file or a folder', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'closed'));
    await writeFile(join(dir, 'secret'), 'x');
    await chmod(dir, 0o755);
    await chmod(join(dir, 'secret'), 0);
    await chmod(join(dir, 'closed'), 0);
    await asNobody(async () => {
      await assert.rejects(disk.open(await disk.stat(join(dir, 'secret'))), { code: 'file-forbidden' });
      await assert.rejects(names(join(dir, 'closed')), { code: 'file-forbidden' });
    });
    await chmod(join(dir, 'closed'), 0o700);
  });

  test('says that reading a folder as a file fails, with its path', async (t) => {
    const dir = await tempDir(t);
    const reader = await disk.open(await disk.stat(dir));
    await assert.rejects(reader.read(Buffer.alloc(1), 0, 1), { code: 'read-failed', message: /EISDIR/ });
    await reader.close();
  });

  test('ends where a file was cut while it is read', async (t) => {
    const path = join(await tempDir(t), 'a');
    await writeFile(path, Buffer.alloc(1000));
    const reader = await disk.open(await disk.stat(path));
    assert.equal(await reader.read(Buffer.alloc(400), 0, 400), 400);
    await truncate(path, 500);
    assert.equal(await reader.read(Buffer.alloc(400), 0, 400), 100);
    assert.equal(await reader.read(Buffer.alloc(400), 0, 400), 0);
    await reader.close();
  });
});

describe('a path is inside a root', () => {
  test('by where it really lies, not by how it is written', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'root', 'deep'), { recursive: true });
    await mkdir(join(dir, 'root-beside'));
    await writeFile(join(dir, 'root', 'deep', 'in.pcap'), '');
    await writeFile(join(dir, 'root-beside', 'out.pcap'), '');
    await symlink('../root-beside/out.pcap', join(dir, 'root', 'sneaky.pcap'));
    await symlink('../root/deep/in.pcap', join(dir, 'root-beside', 'back.pcap'));
    await symlink('root', join(dir, 'alias'));
    const root = join(dir, 'root');
    for (const [path, roots, inside] of [
      ['root/deep/in.pcap', [root], true],
      ['root', [root], true],
      ['root/deep/../deep/in.pcap', [root], true],
      ['alias/deep/in.pcap', [root], true],
      ['root-beside/back.pcap', [root], true],
      ['root/deep/in.pcap', [join(dir, 'alias')], true],
      ['root/deep/in.pcap', [`${root}/`], true],
      ['root/deep/in.pcap', ['/'], true],
      ['root/deep/in.pcap', [join(dir, 'gone'), root], true],
      ['root-beside/out.pcap', [root], false],
      ['root/sneaky.pcap', [root], false],
      ['root/../root-beside/out.pcap', [root], false],
      ['root/gone.pcap', [root], false],
      ['root/deep/in.pcap', [], false],
      ['root/deep/in.pcap', [join(dir, 'gone')], false],
    ] as const) {
      assert.equal(await isInside(`${dir}/${path}`, roots), inside, `${path} in ${roots.join(', ')}`);
    }
  });
});

test('a filter takes what has the suffix and fits the pattern', () => {
  assert.equal(matches('/a/b.pcap.gz', { suffix: 'pcap.gz', pattern: null }), true);
  assert.equal(matches('/a/b.pcap', { suffix: 'pcap.gz', pattern: null }), false);
  assert.equal(matches('/a/b.pcap', { suffix: '', pattern: /^\/a/ }), true);
  assert.equal(matches('/a/b.pcap', { suffix: '.pcap', pattern: /^\/b/ }), false);
});

test('what is neither file nor folder is refused at once, not waited for', async (t) => {
  const dir = await tempDir(t);
  const pipe = join(dir, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  await assert.rejects(disk.stat(pipe), { code: 'file-special', fields: { path: pipe } });
  const list = disk.list(pipe, { suffix: '', pattern: null });
  await assert.rejects(async () => {
    for await (const file of list) assert.fail(file.path);
  });
});
