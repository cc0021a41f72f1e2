/** A mapped source of given maps, as a mapping leaves it; its journal is in memory. */
import { Catalogue } from '@capfleet/coordinator/usecases/catalogue';
import type { MapJournal } from '@capfleet/coordinator/ports/map-journal';
import { mappedSet, type MappedSet } from '@capfleet/coordinator/usecases/mapped-set';
import type { FileMap } from '@capfleet/shared/dataset/file-map';

function memoryJournal(): MapJournal {
  const maps: FileMap[] = [];
  return {
    willStay: () => false,
    request: 'request-1',
    async *entries() {
      for (const [offset, map] of [...maps].entries()) yield { map, place: { offset, length: 1 } };
    },
    async append(added) {
      const offset = maps.length;
      maps.push(...added);
      return added.map((_, index) => ({ offset: offset + index, length: 1 }));
    },
    async read({ offset }) {
      const map = maps[offset];
      if (!map) throw new RangeError(`no map at ${offset}`);
      return map;
    },
  };
}

export async function mappedSetOf(maps: readonly FileMap[]): Promise<MappedSet> {
  const journal = memoryJournal();
  const catalogue = new Catalogue();
  const places = await journal.append(maps);
  maps.forEach((map, index) => {
    catalogue.add(map, places[index]!);
  });
  return mappedSet(catalogue, journal);
}
