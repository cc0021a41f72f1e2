/** What every source of captures promises. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { readFully } from '@capfleet/shared/capture/byte-reader';
import type { Source, SourceFile, SourceFilter } from '@capfleet/shared/source/source';
import { patterned } from '../../support/patterned.ts';

export interface SourceCase {
  name: string;
  /** What a version looks like; nanoseconds when left out. */
  version?: RegExp;
  /** A source with these files (name below the folder → bytes), and how to put another one there. */
  open: (
    files: Record<string, Buffer>,
    t: TestContext,
  ) => Promise<{ source: Source; folder: string; put: (name: string, bytes: Buffer) => Promise<void> }>;
}

const FILES: Record<string, Buffer> = {
  'b.pcap': Buffer.from('bbbb'),
  'a.pcap.gz': Buffer.from('a'),
  'deep/er/c.pcap': Buffer.from('cc'),
  'deep/notes.txt': Buffer.from('text'),
  'with space & ümlaut.pcap': Buffer.from('x'),
  'empty.pcap': Buffer.alloc(0),
};
/** A file that no listing gave. */
const unlisted = (path: string): SourceFile => ({ path, name: path, size: 1, version: '1' });
const all: SourceFilter = { suffix: '', pattern: null };

async function listAll(source: Source, folder: string, filter = all): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const file of source.list(folder, filter)) files.push(file);
  return files;
}

export function sourceContract({ name, version: form = /^\d+$/, open }: SourceCase): void {
  describe(`a source (${name})`, () => {
    test('lists every file below a folder once, with its name below it, size and full path', async (t) => {
      const { source, folder } = await open(FILES, t);
      const listed = await listAll(source, folder);
      assert.deepEqual(listed.map((file) => file.name).sort(), Object.keys(FILES).sort());
      for (const { name, path, size, version } of listed) {
        assert.equal(size, FILES[name]?.length);
        assert.ok(path.startsWith(folder) && path.endsWith(name));
        assert.match(version, form);
      }
    });

    test('lists only what the suffix and the pattern let through', async (t) => {
      const { source, folder } = await open(FILES, t);
      const names = async (suffix: string, pattern: RegExp | null): Promise<string[]> =>
        (await listAll(source, folder, { suffix, pattern })).map((file) => file.name).sort();
      assert.deepEqual(await names('pcap.gz', null), ['a.pcap.gz']);
      assert.deepEqual(await names('.pcap', /\/er\//), ['deep/er/c.pcap']);
      assert.deepEqual(await names('', /deep/), ['deep/er/c.pcap', 'deep/notes.txt']);
      assert.deepEqual(await names('.none', null), []);
    });

    test('tells of a file by itself what it told in the list', async (t) => {
      const { source, folder } = await open(FILES, t);
      for (const file of await listAll(source, folder)) {
        const { path, size, version } = await source.stat(file.path);
        assert.deepEqual([path, size, version], [file.path, file.size, file.version]);
      }
    });

    test('tells a replaced file from the one before it', async (t) => {
      const { source, folder, put } = await open(FILES, t);
      const [before] = await listAll(source, folder, { suffix: 'b.pcap', pattern: null });
      assert.ok(before);
      await put('b.pcap', Buffer.from('BBBB'));
      const after = await source.stat(before.path);
      assert.notDeepEqual([after.size, after.version], [before.size, before.version]);
    });

    test('gives the bytes of a file, from its start and from any offset', async (t) => {
      const bytes = patterned(100_000);
      const { source, folder } = await open({ 'a.pcap': bytes }, t);
      const [file] = await listAll(source, folder);
      assert.ok(file);
      for (const from of [undefined, 0, 1, 99_999, 100_000]) {
        const reader = await source.open(file, from === undefined ? {} : { from });
        const target = Buffer.alloc(100_001);
        const count = await readFully(reader, target);
        assert.ok(target.subarray(0, count).equals(bytes.subarray(from ?? 0)), `from ${from}`);
        assert.equal(reader.consumed, count);
        await reader.close();
      }
    });

    test('gives a stretch of a file, and no byte behind it', async (t) => {
      const bytes = patterned(100_000);
      const { source, folder } = await open({ 'a.pcap': bytes }, t);
      const [file] = await listAll(source, folder);
      assert.ok(file);
      for (const [from, length] of [
        [0, 10],
        [70_000, 20_000],
        [99_999, 10],
        [5, 0],
      ] as const) {
        const reader = await source.open(file, { from, length });
        const target = Buffer.alloc(100_000);
        const count = await readFully(reader, target);
        assert.ok(target.subarray(0, count).equals(bytes.subarray(from, from + length)), `${from}+${length}`);
        await reader.close();
      }
    });

    test('reads one file several times at once', async (t) => {
      const bytes = patterned(5000);
      const { source, folder } = await open({ 'a.pcap': bytes }, t);
      const [file] = await listAll(source, folder);
      const readers = await Promise.all([1, 2, 3].map(() => source.open(file!)));
      const read = await Promise.all(
        readers.map(async (reader) => {
          const target = Buffer.alloc(5000);
          await readFully(reader, target);
          await reader.close();
          return target;
        }),
      );
      assert.ok(read.every((target) => target.equals(bytes)));
    });

    test('says that a folder or a file is not there, by its path', async (t) => {
      const { source, folder } = await open(FILES, t);
      const gone = `${folder}/gone`;
      await assert.rejects(listAll(source, gone), {
        code: 'folder-missing',
        fields: { path: gone, setting: '--source or --dir-src' },
      });
      await assert.rejects(source.stat(gone), { code: 'file-missing', fields: { path: gone } });
      await assert.rejects(source.open(unlisted(gone)), { code: 'file-missing', fields: { path: gone } });
      await assert.rejects(source.open(unlisted(`${folder}/b.pcap/c`)), { code: 'file-missing' });
    });

    test('lists a file that is named itself, whatever the filter', async (t) => {
      const { source, folder } = await open(FILES, t);
      const path = `${folder}/b.pcap`;
      const [file, ...more] = await listAll(source, path, { suffix: '.gz', pattern: /x{3}/ });
      assert.deepEqual([file, more], [await source.stat(path), []]);
    });
  });
}
