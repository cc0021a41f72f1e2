// A data set: the maps of all files, sorted onto one time line, with the lanes of the threads that wrote them.
// Pure; the order of its parts depends on the files alone, never on the order in which results came in.
import { compareSpans, inferLanes, type Span } from './lanes.ts';
import type { Archive, FailedFile, FileMap, MappedFile } from './file-map.ts';
import { isCalendarInstant } from '../time/nanos.ts';

/** A mapped file with at least one packet. */
export interface TimedFile extends Span {
  readonly map: MappedFile;
  readonly lane: number;
}

/** Sums over the files with packets. */
export interface Totals {
  readonly files: number;
  readonly packets: number;
  readonly capturedBytes: number;
  readonly wireBytes: number;
  readonly fileBytes: number;
}

export interface DataSet {
  /** Files with packets, by begin, then end, then name. Never empty where `span` is set. */
  readonly files: readonly TimedFile[];
  /** Readable captures that have no place on the time line: without a packet, without stamps, or beyond the calendar. */
  readonly empty: readonly MappedFile[];
  readonly failed: readonly FailedFile[];
  /** Tarballs whose members are among the files. */
  readonly archives: readonly Archive[];
  readonly totals: Totals;
  /** Earliest and latest packet of the whole set; null where no file has a packet. */
  readonly span: Span | null;
  /** Number of capture threads inferred. */
  readonly lanes: number;
}

/** Where a file lies on the time line, or null where it has no place there. */
export function spanOfFile({ earliest, latest }: MappedFile): Span | null {
  if (earliest === null || latest === null) return null;
  const span = { earliest: BigInt(earliest), latest: BigInt(latest) };
  return isCalendarInstant(span.earliest) && isCalendarInstant(span.latest) ? span : null;
}

export function buildDataSet(maps: readonly FileMap[]): DataSet {
  const failed: FailedFile[] = [];
  const empty: MappedFile[] = [];
  const archives: Archive[] = [];
  const timed: Omit<TimedFile, 'lane'>[] = [];
  for (const map of maps) {
    if (map.status === 'failed') failed.push(map);
    else if (map.status === 'archive') archives.push(map);
    else {
      const span = spanOfFile(map);
      if (span) timed.push({ map, ...span });
      else empty.push(map);
    }
  }
  timed.sort((a, b) => compareSpans(a, b) || compare(a.map.path, b.map.path));
  for (const others of [failed, empty, archives]) others.sort((a, b) => compare(a.path, b.path));
  const lanes = inferLanes(timed);
  const files = timed.map((file, index) => ({ ...file, lane: lanes[index] ?? 0 }));
  return {
    files,
    empty,
    failed,
    archives,
    totals: totalsOf(timed.map(({ map }) => map)),
    span: hullOf(files),
    lanes: lanes.reduce((most, lane) => Math.max(most, lane + 1), 0),
  };
}

export function totalsOf(
  files: Iterable<Pick<MappedFile, 'packets' | 'capturedBytes' | 'wireBytes' | 'fileSize'>>,
): Totals {
  const sum = { files: 0, packets: 0, capturedBytes: 0, wireBytes: 0, fileBytes: 0 };
  for (const file of files) {
    sum.files += 1;
    sum.packets += file.packets;
    sum.capturedBytes += file.capturedBytes;
    sum.wireBytes += file.wireBytes;
    sum.fileBytes += file.fileSize;
  }
  return sum;
}

/** From the first begin to the last end. @param spans by begin */
export function hullOf(spans: readonly Span[]): Span | null {
  const [first] = spans;
  if (!first) return null;
  let { latest } = first;
  for (const span of spans) if (span.latest > latest) latest = span.latest;
  return { earliest: first.earliest, latest };
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
