// The lanes of a data set as a picture in the terminal: a row per lane over the time of the set, and under it what a
// person looks for: pauses, how many lanes wrote at once, files whose packets are out of order.
import type { DataSet } from '@capfleet/shared/dataset/dataset';
import type { LaneTimeline, Overlap } from '@capfleet/shared/dataset/lane-timeline';
import type { Span } from '@capfleet/shared/dataset/lanes';
import { formatDuration, formatInstant, type Nanos } from '@capfleet/shared/time/nanos';
import { formatCount, formatTable, printable } from './text.ts';

const NARROWEST = 20;
/** Pauses and files named one by one. */
const MOST_NAMED = 20;
const WROTE = '█';
const WROTE_PARTLY = '▒';
const OUT_OF_ORDER = '!';
const PAUSED = '·';

/** @param width of the terminal, in columns */
export function showLanes(
  set: DataSet,
  timelines: readonly LaneTimeline[],
  stretches: readonly Overlap[],
  width: number,
): string {
  if (!set.span) return 'no file has a place on the time line\n';
  const { earliest, latest } = set.span;
  const labels = timelines.map(
    ({ lane, files, packets }) =>
      `lane ${String(lane)}  ${formatCount(files, 'file')}  ${formatCount(packets, 'packet')}  `,
  );
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  const columns = Math.max(NARROWEST, width - labelWidth);
  const picture = new Picture(set.span, columns);
  const rows = timelines.map(
    (timeline, index) => (labels[index] ?? '').padEnd(labelWidth) + picture.row(timeline),
  );
  const axis = `${' '.repeat(labelWidth)}${formatInstant(earliest).slice(0, 19)}Z`;
  const end = `${formatInstant(latest).slice(0, 19)}Z`;
  return [
    `${formatCount(set.totals.files, 'file')}, ${formatCount(set.totals.packets, 'packet')}, ${formatDuration(latest - earliest)}; a column is ${formatDuration(picture.column)}`,
    '',
    axis.padEnd(labelWidth + columns - end.length) + end,
    ...rows,
    '',
    `${WROTE} wrote  ${WROTE_PARTLY} wrote part of the time  ${PAUSED} paused  ${OUT_OF_ORDER} packets out of order`,
    '',
  ]
    .map((line) => `${line}\n`)
    .join('')
    .concat(showOverlaps(stretches, latest - earliest), showGaps(timelines), showDisorder(timelines));
}

class Picture {
  /** Time that a column stands for, ns. */
  readonly column: Nanos;
  readonly #columns: number;
  readonly #origin: Nanos;
  readonly #length: Nanos;

  constructor({ earliest, latest }: Span, columns: number) {
    this.#columns = columns;
    this.#origin = earliest;
    this.#length = latest > earliest ? latest - earliest : 1n;
    this.column = this.#length / BigInt(columns);
  }

  row({ spans, outOfOrder }: LaneTimeline): string {
    const cells = new Array<string>(this.#columns).fill(PAUSED);
    const covered = new Array<bigint>(this.#columns).fill(0n);
    for (const span of spans) {
      for (let column = this.#at(span.earliest); column <= this.#at(span.latest); column += 1) {
        covered[column] = (covered[column] ?? 0n) + this.#shared(span, column);
        cells[column] = WROTE_PARTLY;
      }
    }
    covered.forEach((time, column) => {
      // Rounding of the column's borders must not look like a pause.
      if (time > 0n && time >= this.#end(column) - this.#start(column) - 1n) cells[column] = WROTE;
    });
    for (const { earliest, latest } of outOfOrder) {
      for (let column = this.#at(earliest); column <= this.#at(latest); column += 1)
        cells[column] = OUT_OF_ORDER;
    }
    return cells.join('');
  }

  #at(time: Nanos): number {
    const column = Number(((time - this.#origin) * BigInt(this.#columns)) / this.#length);
    return Math.min(column, this.#columns - 1);
  }

  #start(column: number): Nanos {
    return this.#origin + (this.#length * BigInt(column)) / BigInt(this.#columns);
  }

  #end(column: number): Nanos {
    return this.#start(column + 1);
  }

  /** Time of the span within the column. */
  #shared({ earliest, latest }: Span, column: number): Nanos {
    const start = earliest > this.#start(column) ? earliest : this.#start(column);
    const end = latest < this.#end(column) ? latest : this.#end(column);
    return end > start ? end - start : 0n;
  }
}

function showOverlaps(stretches: readonly Overlap[], length: Nanos): string {
  const times = new Map<number, Nanos>();
  for (const { lanes, earliest, latest } of stretches)
    times.set(lanes, (times.get(lanes) ?? 0n) + latest - earliest);
  const rows = [...times.entries()]
    .sort(([a], [b]) => b - a)
    .map(([lanes, time]) => {
      const share = length > 0n ? Number((time * 1000n) / length) / 10 : 0;
      return [`  ${formatCount(lanes, 'lane')} at once`, formatDuration(time), `${share.toFixed(1)} %`];
    });
  return rows.length === 0 ? '' : `overlap\n${formatTable(rows, [1, 2])}`;
}

function showGaps(timelines: readonly LaneTimeline[]): string {
  const gaps = timelines.flatMap(({ lane, gaps: own }) => own.map((gap) => ({ lane, ...gap })));
  if (gaps.length === 0) return '';
  gaps.sort((a, b) => Number(b.latest - b.earliest - (a.latest - a.earliest)));
  const rows = gaps
    .slice(0, MOST_NAMED)
    .map(({ lane, earliest, latest }) => [
      `  lane ${String(lane)}`,
      formatDuration(latest - earliest),
      `from ${formatInstant(earliest)} to ${formatInstant(latest)}`,
    ]);
  return `\n${formatCount(gaps.length, 'pause')}, the longest first\n${formatTable(rows, [1])}${more(gaps.length)}`;
}

function showDisorder(timelines: readonly LaneTimeline[]): string {
  const files = timelines.flatMap(({ lane, outOfOrder }) => outOfOrder.map((file) => ({ lane, ...file })));
  if (files.length === 0) return '';
  const rows = files
    .slice(0, MOST_NAMED)
    .map(({ lane, name, packets, earliest, latest }) => [
      `  lane ${String(lane)}`,
      printable(name),
      formatCount(packets, 'packet'),
      `between ${formatInstant(earliest)} and ${formatInstant(latest)}`,
    ]);
  return `\n${formatCount(files.length, 'file')} with packets out of order\n${formatTable(rows, [2])}${more(files.length)}`;
}

function more(count: number): string {
  return count > MOST_NAMED ? `  … and ${formatCount(count - MOST_NAMED)} more (--json has all)\n` : '';
}
