// Reads a mapping line by line, so that its size is bounded by what its files need and not by its text.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { DumpReader } from '@capfleet/shared/dataset/gophercap-json';
import { errnoOf, Failure, reasonOf } from '@capfleet/shared/errors/failure';

/** @throws Failure `dump-missing`, `dump-invalid` */
export async function loadDump(path: string): Promise<DataSet> {
  const maps: FileMap[] = [];
  for await (const map of mapsOfDump(path)) maps.push(map);
  return buildDataSet(maps);
}

/**
 * The maps of a dump, one by one.
 * @throws Failure `dump-missing`, `dump-invalid`; also behind some that were well
 */
export async function* mapsOfDump(path: string): AsyncGenerator<FileMap> {
  const reader = new DumpReader(path);
  const text = createReadStream(path, 'utf8');
  try {
    for await (const line of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
      const map = reader.line(line);
      if (map) yield map;
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (errnoOf(error) === 'ENOENT') throw new Failure('dump-missing', { path }, { cause: error });
    throw new Failure('dump-invalid', { path, reason: reasonOf(error) }, { cause: error });
  } finally {
    text.destroy();
  }
  yield* reader.end();
}
