import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFully } from '@capfleet/shared/capture/byte-reader';
import type { ByteRange, SourceFile } from '@capfleet/shared/source/source';
import { openStretch, statHolder } from '@capfleet/shared/source/stretch';
import { byteReaderContract } from '../../../contract/suites/byte-reader.ts';
import { memorySource, type MemorySource } from '../../../support/memory-source.ts';
import { patterned } from '../../../support/patterned.ts';

const HOLDER = '/data/set.tar';

async function stretchOf(source: MemorySource, offset: number, size: number): Promise<SourceFile> {
  const { version } = await source.stat(HOLDER);
  return { path: `${HOLDER}!/a`, name: 'a', size, version, within: { path: HOLDER, offset } };
}

byteReaderContract({
  name: 'a stretch of a file',
  async open(bytes) {
    const source = memorySource();
    source.put(HOLDER, Buffer.concat([Buffer.alloc(777, 0xff), bytes, Buffer.alloc(99, 0xee)]));
    return {
      reader: await openStretch(source, await stretchOf(source, 777, bytes.length)),
      fileSize: bytes.length,
    };
  },
});

describe('a stretch of a file', () => {
  test('gives the part that is asked for, and nothing of what lies around it', async () => {
    const bytes = patterned(10_000);
    const source = memorySource();
    source.put(HOLDER, bytes);
    const stretch = await stretchOf(source, 1000, 500);
    const part = async (range: ByteRange): Promise<Buffer> => {
      const reader = await openStretch(source, stretch, range);
      const target = Buffer.alloc(20_000);
      const count = await readFully(reader, target);
      await reader.close();
      return target.subarray(0, count);
    };
    assert.ok((await part({})).equals(bytes.subarray(1000, 1500)));
    assert.ok((await part({ from: 100 })).equals(bytes.subarray(1100, 1500)));
    assert.ok((await part({ from: 100, length: 50 })).equals(bytes.subarray(1100, 1150)));
    assert.ok((await part({ from: 400, length: 900 })).equals(bytes.subarray(1400, 1500)));
    assert.equal((await part({ from: 500 })).length + (await part({ from: 9999 })).length, 0);
    assert.equal(source.openReaders, 0);
  });

  test('is not read out of another file of that name', async () => {
    const source = memorySource();
    source.put(HOLDER, patterned(1000));
    const stretch = await stretchOf(source, 0, 10);
    source.put(HOLDER, patterned(1000));
    await assert.rejects(openStretch(source, stretch), { code: 'file-changed' });
    source.remove(HOLDER);
    await assert.rejects(openStretch(source, stretch), { code: 'file-missing', fields: { path: HOLDER } });
  });

  test('has the facts of the file that holds it; another file has its own', async () => {
    const source = memorySource();
    source.put(HOLDER, patterned(1000));
    assert.equal((await statHolder(source, await stretchOf(source, 0, 10))).size, 1000);
    assert.equal((await statHolder(source, { path: HOLDER })).path, HOLDER);
    const reader = await openStretch(source, await source.stat(HOLDER));
    assert.equal(await readFully(reader, Buffer.alloc(2000)), 1000);
  });
});
