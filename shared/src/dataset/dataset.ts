// A data set: the maps of all files, sorted onto one time line, with the lanes of the threads that wrote them.
// Pure; the order of its parts depends on the files alone, never on the order in which results came in.
import { inferLanes } from './lanes.ts';
import type { FailedFile, FileMap, MappedFile } from './file-map.ts';
import { isCalendarInstant, type Nanos } from '../time/nanos.ts';

/** A mapped file with at least one packet. */
export interface TimedFile {
  readonly map: MappedFile;
  readonly earliest: Nanos;
  readonly latest: Nanos;
  readonly lane: number;
}

export interface DataSet {
  /** Files with packets, by begin, then end, then name. Never empty where `span` is set. */
  readonly files: readonly TimedFile[];
  /** Readable captures that have no place on the time line: without a packet, without stamps, or beyond the calendar. */
  readonly empty: readonly MappedFile[];
  readonly failed: readonly FailedFile[];
  /** Earliest and latest packet of the whole set; null where no file has a packet. */
  readonly span: { readonly earliest: Nanos; readonly latest: Nanos } | null;
  /** Number of capture threads inferred. */
  readonly lanes: number;
}

export function buildDataSet(maps: readonly FileMap[]): DataSet {
  const failed: FailedFile[] = [];
  const empty: MappedFile[] = [];
  const timed: Omit<TimedFile, 'lane'>[] = [];
  for (const map of maps) {
    if (map.status === 'failed') failed.push(map);
    else {
      const span = calendarSpan(map);
      if (span) timed.push({ map, ...span });
      else empty.push(map);
    }
  }
  timed.sort(
    (a, b) =>
      compare(a.earliest, b.earliest) || compare(a.latest, b.latest) || compare(a.map.path, b.map.path),
  );
  failed.sort((a, b) => compare(a.path, b.path));
  empty.sort((a, b) => compare(a.path, b.path));
  const lanes = inferLanes(timed);
  const files = timed.map((file, index) => ({ ...file, lane: lanes[index] ?? 0 }));
  return {
    files,
    empty,
    failed,
    span: spanOf(files),
    lanes: lanes.reduce((most, lane) => Math.max(most, lane + 1), 0),
  };
}

/** Totals over the files with packets. */
export function totals(set: DataSet): {
  packets: number;
  capturedBytes: number;
  wireBytes: number;
  fileBytes: number;
} {
  const sum = { packets: 0, capturedBytes: 0, wireBytes: 0, fileBytes: 0 };
  for (const { map } of set.files) {
    sum.packets += map.packets;
    sum.capturedBytes += map.capturedBytes;
    sum.wireBytes += map.wireBytes;
    sum.fileBytes += map.fileSize;
  }
  return sum;
}

function calendarSpan({ earliest, latest }: MappedFile): { earliest: Nanos; latest: Nanos } | null {
  if (earliest === null || latest === null) return null;
  const span = { earliest: BigInt(earliest), latest: BigInt(latest) };
  return isCalendarInstant(span.earliest) && isCalendarInstant(span.latest) ? span : null;
}

function spanOf(files: readonly TimedFile[]): DataSet['span'] {
  const [first] = files;
  if (!first) return null;
  let latest = first.latest;
  for (const file of files) if (file.latest > latest) latest = file.latest;
  return { earliest: first.earliest, latest };
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
