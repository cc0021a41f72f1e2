import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { disk } from '@capfleet/shared/source/disk';
import { memorySource } from '../support/memory-source.ts';
import { tempDir } from '../support/temp-dir.ts';
import { sourceContract } from './suites/source.ts';

sourceContract({
  name: 'disk',
  async open(files, t) {
    const folder = join(await tempDir(t), 'set');
    await mkdir(folder);
    const put = async (name: string, bytes: Buffer): Promise<void> => {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      // As a writer replaces a file: whole, in one step.
      await writeFile(`${folder}.new`, bytes);
      await rename(`${folder}.new`, path);
    };
    for (const [name, bytes] of Object.entries(files)) await put(name, bytes);
    return { source: disk, folder, put };
  },
});

sourceContract({
  name: 'memory',
  async open(files) {
    const source = memorySource();
    const put = async (name: string, bytes: Buffer): Promise<void> => source.put(`/set/${name}`, bytes);
    for (const [name, bytes] of Object.entries(files)) await put(name, bytes);
    return { source, folder: '/set', put };
  },
});
