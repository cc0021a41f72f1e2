// What plots of a verification show, in bounded size whatever the number of packets: the deviation as its least and
// greatest per stretch of time, the gap errors as a histogram, the packet rates as counts per stretch of time.
import type { Errors } from './timing.ts';

const DEVIATION_BUCKETS = 600;
const MOST_RATE_BUCKETS = 400;
const BINS_PER_DECADE = 5;

/** Of the packets due in one stretch of the plan: ns. */
export interface DeviationBucket {
  /** Middle of the stretch, since the first matched packet. */
  readonly at: number;
  readonly least: number;
  readonly greatest: number;
}

export interface GapBin {
  /** Sizes above `from` up to `to`, ns; the first bin, both 0, is of gaps without error. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface Rates {
  /** ns. */
  readonly width: number;
  /** Where the first stretch begins, ns after the first matched packet. */
  readonly start: number;
  /** Packets per stretch, of all that were to be sent and of those that arrived. */
  readonly planned: readonly number[];
  readonly actual: readonly number[];
}

export interface Series {
  readonly deviation: readonly DeviationBucket[];
  readonly gaps: readonly GapBin[];
  /** Null where nothing takes any time. */
  readonly rates: Rates | null;
}

/**
 * @param due of all packets that were to be sent, ns
 * @param origin due time of the first matched one
 * @param planned of the matched ones, ns since the first of them
 */
export function seriesOf(due: Float64Array, origin: number, planned: Float64Array, errors: Errors): Series {
  return {
    deviation: deviationBuckets(planned, errors.deviations),
    gaps: gapHistogram(errors.gaps),
    rates: packetRates(due, origin, planned, errors.deviations),
  };
}

function deviationBuckets(planned: Float64Array, deviations: Float64Array): DeviationBucket[] {
  const { least: start, greatest: end } = rangeOf(planned);
  const width = Math.max(1, (end - start) / DEVIATION_BUCKETS);
  const least = new Float64Array(DEVIATION_BUCKETS).fill(Number.POSITIVE_INFINITY);
  const greatest = new Float64Array(DEVIATION_BUCKETS).fill(Number.NEGATIVE_INFINITY);
  for (let index = 0; index < planned.length; index += 1) {
    const bucket = Math.min(DEVIATION_BUCKETS - 1, Math.floor(((planned[index] as number) - start) / width));
    const deviation = deviations[index] as number;
    if (deviation < (least[bucket] as number)) least[bucket] = deviation;
    if (deviation > (greatest[bucket] as number)) greatest[bucket] = deviation;
  }
  return Array.from(least, (low, bucket) => ({
    at: start + (bucket + 0.5) * width,
    least: low,
    greatest: greatest[bucket] as number,
  })).filter((bucket) => Number.isFinite(bucket.least));
}

/** From the smallest to the largest size that occurs, without holes. */
function gapHistogram(gaps: Float64Array): GapBin[] {
  const counts = new Map<number, number>();
  let exact = 0;
  for (const gap of gaps) {
    const size = Math.abs(gap);
    if (size === 0) {
      exact += 1;
      continue;
    }
    const bin = binOf(size);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  const bins: GapBin[] = exact > 0 ? [{ from: 0, to: 0, count: exact }] : [];
  const used = [...counts.keys()];
  if (used.length === 0) return bins;
  for (let bin = Math.min(...used); bin <= Math.max(...used); bin += 1) {
    bins.push({ from: edge(bin - 1), to: edge(bin), count: counts.get(bin) ?? 0 });
  }
  return bins;
}

/** The first bin whose upper edge is not below the size. */
function binOf(size: number): number {
  let bin = Math.ceil(BINS_PER_DECADE * Math.log10(size));
  // A logarithm may be off by the last digit, which an edge itself must not be.
  while (edge(bin) < size) bin += 1;
  while (edge(bin - 1) >= size) bin -= 1;
  return bin;
}

function edge(bin: number): number {
  return 10 ** (bin / BINS_PER_DECADE);
}

function packetRates(
  due: Float64Array,
  origin: number,
  planned: Float64Array,
  deviations: Float64Array,
): Rates | null {
  const arrival = (index: number): number => (planned[index] as number) + (deviations[index] as number);
  const toSend = rangeOf(due);
  let [start, end] = [toSend.least - origin, toSend.greatest - origin];
  for (let index = 0; index < planned.length; index += 1) {
    const at = arrival(index);
    if (at < start) start = at;
    if (at > end) end = at;
  }
  if (!(end > start)) return null;
  const width = roundWidth((end - start) / MOST_RATE_BUCKETS);
  start = Math.floor(start / width) * width;
  const buckets = Math.floor((end - start) / width) + 1;
  const counts = { planned: new Array<number>(buckets).fill(0), actual: new Array<number>(buckets).fill(0) };
  const add = (into: number[], at: number): void => {
    const bucket = Math.floor((at - start) / width);
    into[bucket] = (into[bucket] ?? 0) + 1;
  };
  for (const time of due) add(counts.planned, time - origin);
  for (let index = 0; index < planned.length; index += 1) add(counts.actual, arrival(index));
  return { width, start, ...counts };
}

/** 1, 2 or 5 times a power of ten, at least the one given: ns. */
function roundWidth(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

function rangeOf(values: Float64Array): { readonly least: number; readonly greatest: number } {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return { least, greatest };
}
