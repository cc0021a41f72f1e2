/** Dumps without the program that writes them. */
import { writeFile } from 'node:fs/promises';
import { mapFile } from '@capfleet/mapper/map-file';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { dumpText } from '@capfleet/shared/dataset/gophercap-json';
import { disk } from '@capfleet/shared/source/disk';

/** Maps all files of a folder as a mapper does, in this process, and writes the dump of them. */
export async function mapHere(folder: string, dump: string): Promise<void> {
  const maps: FileMap[] = [];
  for await (const file of disk.list(folder, { suffix: '', pattern: null }))
    maps.push(await mapFile(disk, file));
  await writeFile(dump, await writeDump(buildDataSet(maps)));
}

/** As text in one piece. */

export async function writeDump(set: DataSet): Promise<string> {
  let text = '';
  for await (const piece of dumpText(set)) text += piece;
  return text;
}
