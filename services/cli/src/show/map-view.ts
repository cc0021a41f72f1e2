// What is shown of a mapping, brought together from its rows; the maps themselves are read only where names are shown.
import type { Row, TimedRow } from '@capfleet/coordinator/usecases/catalogue';
import type { MappedSet } from '@capfleet/coordinator/usecases/mapped-set';
import type { DataSet, Totals } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';

/** More files than this are not listed one by one; the dump has them all. */
const MOST_LISTED = 400;
const MOST_TROUBLED = 20;

export interface LaneView {
  readonly files: number;
  readonly packets: number;
  /** Null where there are too many files. */
  readonly names: readonly string[] | null;
}

/** A file that is not whole. */
export interface TroubleView {
  readonly status: 'failed' | 'partial' | 'empty';
  readonly name: string;
  readonly message: string;
  readonly hint: string;
}

export interface MapView {
  readonly span: DataSet['span'];
  readonly totals: Totals;
  readonly reused: number;
  readonly archives: number;
  readonly estimated: boolean;
  readonly lanes: readonly LaneView[];
  /** The first of them. */
  readonly troubled: readonly TroubleView[];
  readonly troubledInAll: number;
}

export async function viewMapping(set: MappedSet): Promise<MapView> {
  const { rows, totals, span, reused } = set;
  const partial = rows.timed.filter(({ status }) => status === 'partial');
  const trouble = [...rows.failed, ...partial, ...rows.empty];
  const troubled: TroubleView[] = [];
  for (const row of trouble.slice(0, MOST_TROUBLED)) troubled.push(troubleOf(await set.mapOf(row)));
  return {
    span,
    totals,
    reused,
    archives: rows.archives.length,
    estimated: rows.timed.some(({ estimated }) => estimated),
    lanes: await viewLanes(set, rows.timed),
    troubled,
    troubledInAll: trouble.length,
  };
}

async function viewLanes(set: MappedSet, timed: readonly TimedRow[]): Promise<LaneView[]> {
  const lanes = Array.from({ length: set.lanes }, () => ({ files: 0, packets: 0, names: [] as string[] }));
  const named = timed.length <= MOST_LISTED;
  for (const row of timed) {
    const lane = lanes[row.lane];
    if (!lane) continue;
    lane.files += 1;
    lane.packets += row.packets;
    if (named) lane.names.push((await set.mapOf(row)).name);
  }
  return named ? lanes : lanes.map((lane) => ({ ...lane, names: null }));
}

function troubleOf(map: FileMap): TroubleView {
  if (map.status === 'failed') {
    const { message, hint } = map.error;
    return { status: 'failed', name: map.name, message, hint };
  }
  const message = map.status === 'archive' ? '' : (map.warnings.at(-1)?.message ?? '');
  return { status: map.status === 'partial' ? 'partial' : 'empty', name: map.name, message, hint: '' };
}

/** Files that a mapping could not take whole. */
export function countPartial({ rows }: MappedSet): number {
  return rows.timed.filter(({ status }: Row) => status === 'partial').length;
}
