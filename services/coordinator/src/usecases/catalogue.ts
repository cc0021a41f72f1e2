// What a mapping remembers of each file while the maps themselves lie in the journal: enough to know a file again, to
// order the files, to find the lanes and to sum up. Some two hundred bytes per file, whatever its map holds.
import { createHash } from 'node:crypto';
import { hullOf, spanOfFile, totalsOf, type DataSet, type Totals } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { compareSpans, inferLanes, type Span } from '@capfleet/shared/dataset/lanes';
import type { SourceFile } from '@capfleet/shared/source/source';
import type { Place } from '../ports/map-journal.ts';

export interface Row {
  readonly place: Place;
  /** Null where the file has no place on the time line. */
  readonly span: Span | null;
  readonly status: FileMap['status'];
  readonly packets: number;
  readonly capturedBytes: number;
  readonly wireBytes: number;
  readonly fileSize: number;
  readonly estimated: boolean;
  /** Belongs to this mapping; else it is only known from before. */
  kept: boolean;
  lane: number;
}

/** The rows of a mapping in the order of its dump. */
export interface Arrangement {
  readonly timed: readonly TimedRow[];
  readonly empty: readonly Row[];
  readonly failed: readonly Row[];
  readonly archives: readonly Row[];
  readonly span: DataSet['span'];
  readonly lanes: number;
  readonly totals: Totals;
}

export type TimedRow = Row & { readonly span: Span };

export class Catalogue {
  /** Files kept from before, without reading them. */
  reused = 0;
  readonly #rows = new Map<string, Row>();
  /** Members by the path of their tarball. */
  readonly #members = new Map<string, Row[]>();

  /** Takes a map that an earlier mapping made; it counts once `reuse` asks for it. */
  remember(map: FileMap, place: Place): void {
    // What went wrong in reading may go right today; what is wrong with the content stays so, and a member counts only
    // together with its tarball.
    const mayPass =
      map.status === 'failed' && map.archive === undefined && !/^(capture|compression)-/.test(map.error.code);
    if (mayPass) return;
    if (map.version !== null) this.#enter(map, place);
  }

  /**
   * True where the file was mapped before and is unchanged: then it belongs to this mapping, without being read.
   * @param wanted whether an estimate of it will do, and which members of a tarball are asked for
   */
  reuse({ path, size, version }: SourceFile, wanted: { estimate: boolean; filter: string }): boolean {
    const find = (kind: string): Row | undefined => this.#rows.get(keyOf(path, size, version, kind));
    const row =
      find(WHOLE) ?? find(archiveOf(wanted.filter)) ?? (wanted.estimate ? find(ESTIMATED) : undefined);
    if (!row) return false;
    if (!row.kept) this.reused += 1;
    row.kept = true;
    if (row.status === 'archive') for (const member of this.#members.get(path) ?? []) member.kept = true;
    return true;
  }

  /** True where the mapping has the map of that very file already. */
  has(map: FileMap): boolean {
    return this.#rows.get(keyOfMap(map))?.kept ?? false;
  }

  /** Takes a map that a mapper has just made. */
  add(map: FileMap, place: Place): void {
    this.#enter(map, place).kept = true;
  }

  /**
   * Orders all that belongs to the mapping.
   * @param pathAt tells the path of the map at a place; asked only where times do not decide
   */
  async arrange(pathAt: (place: Place) => Promise<string>): Promise<Arrangement> {
    const kept = [...this.#rows.values()].filter((row) => row.kept);
    const timed = kept.filter((row): row is TimedRow => row.span !== null);
    timed.sort((a, b) => compareSpans(a.span, b.span));
    await sortTies(timed, (a, b) => compareSpans(a.span, b.span) === 0, pathAt);
    inferLanes(timed.map(({ span }) => span)).forEach((lane, index) => {
      (timed[index] as Row).lane = lane;
    });
    const others = async (fits: (status: Row['status']) => boolean): Promise<Row[]> => {
      const rows = kept.filter((row) => row.span === null && fits(row.status));
      await sortTies(rows, () => true, pathAt);
      return rows;
    };
    return {
      timed,
      empty: await others((status) => status === 'ok' || status === 'partial'),
      failed: await others((status) => status === 'failed'),
      archives: await others((status) => status === 'archive'),
      span: hullOf(timed.map(({ span }) => span)),
      lanes: timed.reduce((most, { lane }) => Math.max(most, lane + 1), 0),
      totals: totalsOf(timed),
    };
  }

  #enter(map: FileMap, place: Place): Row {
    const mapped = map.status === 'ok' || map.status === 'partial' ? map : null;
    const row: Row = {
      place,
      span: mapped && spanOfFile(mapped),
      status: map.status,
      packets: mapped?.packets ?? 0,
      capturedBytes: mapped?.capturedBytes ?? 0,
      wireBytes: mapped?.wireBytes ?? 0,
      fileSize: map.fileSize,
      estimated: mapped?.estimated ?? false,
      kept: false,
      lane: 0,
    };
    this.#rows.set(keyOfMap(map), row);
    if (map.archive !== undefined) {
      const members = this.#members.get(map.archive) ?? [];
      members.push(row);
      this.#members.set(map.archive, members);
    }
    return row;
  }
}

/** Kinds of maps that a file may have beside one another. */
const WHOLE = '';
const ESTIMATED = 'estimated';
const archiveOf = (filter: string): string => `archive ${filter}`;

function keyOfMap(map: FileMap): string {
  const { path, fileSize, version } = map;
  if (map.status === 'archive') return keyOf(path, fileSize, version ?? '', archiveOf(map.filter ?? ''));
  const estimated = map.status !== 'failed' && map.estimated === true;
  return keyOf(path, fileSize, version ?? '', estimated ? ESTIMATED : WHOLE);
}

/** 96 bits of a digest: two of a billion files share a key with a probability of 10⁻¹¹. */
function keyOf(path: string, size: number, version: string, kind: string): string {
  const facts = `${path}\0${String(size)}\0${version}\0${kind}`;
  // A text of its own: a slice would hold on to the whole digest.
  return createHash('sha256').update(facts).digest().toString('latin1', 0, 12);
}

/** Sorts neighbours that tie by their paths. */
async function sortTies<T extends Row>(
  rows: T[],
  ties: (a: T, b: T) => boolean,
  pathAt: (place: Place) => Promise<string>,
): Promise<void> {
  for (let start = 0; start < rows.length;) {
    let end = start + 1;
    while (end < rows.length && ties(rows[start] as T, rows[end] as T)) end += 1;
    if (end - start > 1) {
      const named: { row: T; path: string }[] = [];
      for (const row of rows.slice(start, end)) named.push({ row, path: await pathAt(row.place) });
      named.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
      named.forEach(({ row }, index) => (rows[start + index] = row));
    }
    start = end;
  }
}
