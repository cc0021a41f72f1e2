/** A tarball mapped as a mapper does it, and the dump of what is in it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';

import { disk } from '@capfleet/shared/source/disk';
import type { Source, SourceFilter } from '@capfleet/shared/source/source';
import { mapArchive, type ArchiveCounts } from '@capfleet/mapper/map-archive';
import { writeDump } from './dump.ts';

type Filter = Pick<SourceFilter, 'suffix' | 'pattern'>;

export async function mapTarball(
  source: Source,
  path: string,
  filter: Filter = { suffix: '', pattern: null },
): Promise<{ maps: FileMap[]; counts: ArchiveCounts }> {
  const maps: FileMap[] = [];
  const counts = await mapArchive(source, await source.stat(path), filter, async (map) => {
    maps.push(map);
  });
  return { maps, counts };
}

/** Writes the mapping of a sound tarball. */
export async function dumpTarball(path: string, dump: string): Promise<void> {
  const { maps, counts } = await mapTarball(disk, path);
  assert.ok(counts.sound, JSON.stringify(maps.at(-1)));
  await writeFile(dump, await writeDump(buildDataSet(maps)));
}
