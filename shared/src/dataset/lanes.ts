// Lanes: which files one capture thread wrote, inferred from times alone. A thread writes its files one after
// another, so its files do not overlap; the set is split into the fewest sequences of non-overlapping files, and a
// new file goes to the lane that ended latest before it began, because a thread rotates without a pause.
import type { Nanos } from '../time/nanos.ts';

export interface Span {
  readonly earliest: Nanos;
  readonly latest: Nanos;
}

/**
 * @param spans one per file, in any order
 * @returns the lane number of each span, numbered by the begin of the lane's first file, so that the result does
 *   not depend on how the files are named. Files that touch in one instant do not overlap.
 */
export function inferLanes(spans: readonly Span[]): number[] {
  const order = spans
    .map((_, index) => index)
    .sort((a, b) => compareSpans(at(spans, a), at(spans, b)) || a - b);
  const lanes: number[] = new Array<number>(spans.length).fill(0);
  /** Ends of the lanes, ascending, with the lane's number. */
  const ends: { end: Nanos; lane: number }[] = [];
  for (const index of order) {
    const span = at(spans, index);
    const free = upperBound(ends, span.earliest);
    const lane = free === 0 ? ends.length : (ends.splice(free - 1, 1)[0]?.lane ?? 0);
    lanes[index] = lane;
    ends.splice(upperBound(ends, span.latest), 0, { end: span.latest, lane });
  }
  return lanes;
}

function at(spans: readonly Span[], index: number): Span {
  return spans[index] as Span;
}

/** The order of files on the time line: by begin, then by end. */
export function compareSpans(a: Span, b: Span): number {
  if (a.earliest !== b.earliest) return a.earliest < b.earliest ? -1 : 1;
  if (a.latest !== b.latest) return a.latest < b.latest ? -1 : 1;
  return 0;
}

/** Number of leading entries whose end is not after `time`. */
function upperBound(ends: readonly { end: Nanos }[], time: Nanos): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle]?.end ?? 0n) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
