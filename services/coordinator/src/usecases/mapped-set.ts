// What a mapping gives: the set's facts at hand, its maps brought in from the journal one by one as they are asked for.
import type { TimedFile, Totals } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import type { DumpContent } from '@capfleet/shared/dataset/gophercap-json';
import type { Arrangement, Catalogue, Row } from './catalogue.ts';
import type { MapJournal } from '../ports/map-journal.ts';

/** A mapped source, its maps still in the journal. */
export interface MappedSet extends DumpContent {
  /** Files that were known before, and not read. */
  readonly reused: number;
  readonly rows: Arrangement;
  readonly totals: Totals;
  mapOf(row: Row): Promise<FileMap>;
}

export async function mappedSet(catalogue: Catalogue, journal: MapJournal): Promise<MappedSet> {
  const rows = await catalogue.arrange(async (place) => (await journal.read(place)).path);
  return {
    span: rows.span,
    lanes: rows.lanes,
    totals: rows.totals,
    reused: catalogue.reused,
    rows,
    files: eachTime(() => timedFiles(journal, rows)),
    empty: eachTime(() => maps(journal, rows.empty)),
    failed: eachTime(() => maps(journal, rows.failed)),
    archives: eachTime(() => maps(journal, rows.archives)),
    mapOf: ({ place }) => journal.read(place),
  };
}

/** What can be gone through more than once. */
function eachTime<T>(begin: () => AsyncIterator<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: begin };
}

async function* timedFiles(journal: MapJournal, { timed }: Arrangement): AsyncGenerator<TimedFile> {
  for (const { place, span, lane } of timed) {
    const map = await journal.read(place);
    if (map.status === 'ok' || map.status === 'partial') yield { map, ...span, lane };
  }
}

async function* maps(journal: MapJournal, rows: readonly Row[]): AsyncGenerator<FileMap> {
  for (const { place } of rows) yield await journal.read(place);
}
