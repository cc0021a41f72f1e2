import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import {
  openJournal,
  type JournalFile,
  type JournalOptions,
} from '@capfleet/coordinator/adapters/journal-file';
import type { MapJournal } from '@capfleet/coordinator/ports/map-journal';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import type { Failure } from '@capfleet/shared/errors/failure';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const a = mappedFile('a.pcap', [1, 2]);
const b = mappedFile('b – ümlaut\n.pcap', [3, 4]);
const failed = failedMap('c');

async function given(t: TestContext): Promise<JournalOptions> {
  return { path: join(await tempDir(t), 'deep/er/journal.ndjson'), mapping: 'm', seed: null };
}

async function mapsOf(journal: MapJournal): Promise<FileMap[]> {
  const maps: FileMap[] = [];
  for await (const { map, place } of journal.entries()) {
    assert.deepEqual(await journal.read(place), map);
    maps.push(map);
  }
  return maps;
}

async function* each(...maps: FileMap[]): AsyncGenerator<FileMap> {
  yield* maps;
}

/** Opens, does something, and leaves it for the next. */
async function visit<T>(options: JournalOptions, work: (journal: JournalFile) => Promise<T>): Promise<T> {
  const journal = await openJournal(options);
  try {
    return await work(journal);
  } finally {
    await journal.close();
  }
}

describe('a journal', () => {
  test('gives back what was put in, by its place and in its order', async (t) => {
    await visit(await given(t), async (journal) => {
      const places = [...(await journal.append([a, b])), ...(await journal.append([failed]))];
      const read = await Promise.all(places.map((place) => journal.read(place)));
      assert.deepEqual(read, [a, b, failed]);
      assert.deepEqual(await mapsOf(journal), [a, b, failed]);
    });
  });

  test('is taken up again by the same mapping, under the same name in the queue', async (t) => {
    const options = await given(t);
    const request = await visit(options, async (journal) => {
      await journal.append([a]);
      return journal.request;
    });
    await visit({ ...options, seed: each(failed) }, async (journal) => {
      assert.equal(journal.request, request);
      assert.deepEqual(await mapsOf(journal), [a], 'and what it began with once does not come again');
      await journal.append([b]);
      assert.deepEqual(await mapsOf(journal), [a, b]);
    });
  });

  test('is begun anew by another mapping', async (t) => {
    const options = await given(t);
    const request = await visit(options, async (journal) => {
      await journal.append([a]);
      return journal.request;
    });
    await visit({ ...options, mapping: 'another', seed: each(b) }, async (journal) => {
      assert.notEqual(journal.request, request);
      assert.deepEqual(await mapsOf(journal), [b]);
    });
  });

  test('loses but the line that was being written when the process died', async (t) => {
    const options = await given(t);
    await visit(options, (journal) => journal.append([a, b]));
    await appendFile(options.path, JSON.stringify(failed).slice(0, 40));
    await visit(options, async (journal) => {
      await journal.append([failed]);
      assert.deepEqual(await mapsOf(journal), [a, b, failed]);
    });
  });

  test('passes over lines that are no maps', async (t) => {
    const options = await given(t);
    await visit(options, (journal) => journal.append([a]));
    await appendFile(options.path, `{"path":5}\nnonsense\n${JSON.stringify(b)}\n`);
    assert.deepEqual(await visit(options, mapsOf), [a, b]);
  });

  test('is begun anew where a file of another kind lies in its place', async (t) => {
    for (const content of ['', 'nonsense', 'nonsense\nmore\n', '{"v":2,"request":"r","mapping":"m"}\n']) {
      const options = await given(t);
      await visit(options, async () => undefined);
      await writeFile(options.path, content);
      await visit(options, async (journal) => {
        await journal.append([a]);
        assert.deepEqual(await mapsOf(journal), [a]);
      });
    }
  });

  test('is gone when it is no longer needed, and when nothing was put into it', async (t) => {
    const options = await given(t);
    const journal = await openJournal(options);
    await journal.append([a]);
    await journal.remove();
    assert.deepEqual(await readdir(join(options.path, '..')), []);
    assert.equal(await (await openJournal({ ...options, seed: each(a) })).close(), false);
    assert.deepEqual(await readdir(join(options.path, '..')), []);
  });

  test('is for the eyes of its user alone', async (t) => {
    const options = await given(t);
    await visit(options, (journal) => journal.append([a]));
    assert.equal((await stat(options.path)).mode & 0o077, 0);
  });

  test('is held by one process at a time, and let go when that one is gone', async (t) => {
    const options = await given(t);
    const journal = await openJournal(options);
    await assert.rejects(openJournal(options), {
      code: 'journal-held',
      fields: { pid: process.pid, path: options.path },
    });
    await journal.append([a]);
    await journal.close();
    const code = `
      const { openJournal } = await import(${JSON.stringify(import.meta.resolve('@capfleet/coordinator/adapters/journal-file'))});
      await openJournal({ path: ${JSON.stringify(options.path)}, mapping: ${JSON.stringify(options.mapping)}, seed: null });
      console.log('held');
      setInterval(() => {}, 1000);
    `;
    const other = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    await assert.rejects(openJournal(options), {
      code: 'journal-held',
      fields: { pid: other.pid, path: options.path },
    });
    other.kill('SIGKILL');
    await once(other, 'exit');
    assert.deepEqual(await visit(options, mapsOf), [a]);
    assert.deepEqual(await readdir(join(options.path, '..')), ['journal.ndjson']);
  });

  test('goes to one of many that want it at once, also from one that is gone', async (t) => {
    const options = await given(t);
    await visit(options, (journal) => journal.append([a]));
    // What an earlier process left there says nothing: its lock went with it, and another may have its number.
    const lefts = [null, '', '999999999 1', `${process.ppid} 1`, 'no holder'];
    for (const left of Array.from({ length: 50 }, (_, round) => lefts[round % lefts.length] ?? null)) {
      if (left !== null) await writeFile(`${options.path}.lock`, left);
      const wanted = await Promise.allSettled(Array.from({ length: 12 }, () => openJournal(options)));
      const got = wanted.filter((result) => result.status === 'fulfilled');
      assert.equal(got.length, 1, `left: ${left}`);
      for (const result of wanted) {
        if (result.status === 'rejected') assert.equal((result.reason as Failure).code, 'journal-held');
      }
      await got[0]?.value.close();
      const names = await readdir(dirname(options.path));
      assert.deepEqual(names, [basename(options.path)]);
    }
  });

  test('says where it wanted to be when it cannot', async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'file'), '');
    const path = join(dir, 'file/journal');
    await assert.rejects(openJournal({ path, mapping: 'm', seed: null }), {
      code: 'journal-failed',
      message: /file\/journal/,
    });
  });

  test('leaves nothing behind when what it is to begin with fails', async (t) => {
    const options = await given(t);
    const broken = async function* (): AsyncGenerator<FileMap> {
      yield a;
      throw new Error('no more');
    };
    await assert.rejects(openJournal({ ...options, seed: broken() }), { code: 'journal-failed' });
    assert.deepEqual(await readdir(join(options.path, '..')), []);
  });

  test('of many maps is read line by line over the borders of its blocks', async (t) => {
    const many = Array.from({ length: 5000 }, (_, i) => mappedFile(`${'x'.repeat(i % 700)}${i}`, [i, i + 1]));
    await visit(await given(t), async (journal) => {
      for (let start = 0; start < many.length; start += 977)
        await journal.append(many.slice(start, start + 977));
      assert.deepEqual(await mapsOf(journal), many);
    });
  });
});
