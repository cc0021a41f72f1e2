import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFully } from '@capfleet/shared/capture/byte-reader';
import { preload } from '@capfleet/replayer/preload';
import { memorySource } from '../../support/memory-source.ts';
import { patterned } from '../../support/patterned.ts';
import { planFile } from '../../support/play-results.ts';

describe('files read into memory before the start', () => {
  const source = memorySource();
  source.put('/a', patterned(5000));
  source.put('/b', patterned(300, 1));
  const planned = async (path: string) => {
    const { size, version } = await source.stat(path);
    return planFile({ path, fileSize: size, version });
  };

  test('are read from there, whatever becomes of the source, in whole and in part', async () => {
    const files = [await planned('/a'), await planned('/b')];
    const held = await preload(files, source, 5300);
    assert.equal(source.openReaders, 0);
    const a = await source.stat('/a');
    source.put('/a', Buffer.alloc(5000));
    const whole = Buffer.alloc(6000);
    assert.equal(await readFully(await held.open(a), whole), 5000);
    assert.deepEqual(whole.subarray(0, 5000), patterned(5000));
    const part = Buffer.alloc(100);
    assert.equal(await readFully(await held.open(a, { from: 70, length: 20 }), part), 20);
    assert.deepEqual(part.subarray(0, 20), patterned(5000).subarray(70, 90));
    source.put('/a', patterned(5000));
  });

  test('are refused where they have more bytes than they may, before one is read', async () => {
    const files = [
      await planned('/a'),
      await planned('/b'),
      planFile({ path: '/b', fileSize: null, version: null }),
    ];
    await assert.rejects(preload(files, source, 5599), {
      code: 'preload-too-large',
      message: /3 files .* 5600 bytes/,
    });
    await preload(files, source, 5600);
  });

  test('fail where one cannot be read', async () => {
    const file = planFile({ path: '/gone', fileSize: 1, version: '1' });
    await assert.rejects(preload([file], source, 100), { code: 'file-missing' });
  });
});
