// How the reference clock runs against the local monotonic one, from offsets measured now and then. Pure: it never reads
// a clock. Each measurement says that the offset lay in an interval; the two clocks drift apart evenly, so the offset
// is a line through all intervals. What all such lines have in common is known for certain; how far they differ is
// the bound, at any instant and with no assumption on how errors are distributed.
// (The lines through a set of intervals: O'Rourke 1981, "An on-line algorithm for fitting straight lines between data
// ranges".)
import { SECOND, type Nanos } from './nanos.ts';

/** The offset at an instant: reference = monotonic + offset, ± bound. */
export interface OffsetSample {
  /** Monotonic, the middle of the exchange. */
  readonly at: Nanos;
  readonly offset: Nanos;
  readonly bound: Nanos;
}

/** Drift of two clocks that are not set, in parts per billion: NTP corrects by 500 ppm at most, oscillators are better. */
const MOST_DRIFT = 500_000;
/** Older samples add little, and oscillators do not keep their rate for ever. */
const MOST_SAMPLES = 64;
const OLDEST: Nanos = 180n * SECOND;

interface Interval {
  /** ns after the first sample. */
  readonly at: number;
  /** Of the offset, ns over that of the first sample. */
  readonly least: number;
  readonly most: number;
}

export class ClockLine {
  #zero: { readonly at: Nanos; readonly offset: Nanos } | null = null;
  #intervals: Interval[] = [];
  /** By how much the reference clock was set while it was followed, ns; what is told is as if it had not been. */
  #stepped = 0;
  #steps = 0;
  /** How well it is known by how much, ns. */
  #doubt = 0;

  /** One that is older than the latest tells nothing new. */
  add({ at, offset, bound }: OffsetSample): void {
    this.#zero ??= { at, offset };
    const x = Number(at - this.#zero.at);
    const middle = Number(offset - this.#zero.offset) - this.#stepped;
    const next = { at: x, least: middle - Number(bound), most: middle + Number(bound) };
    const last = this.#intervals.at(-1);
    if (last && x <= last.at) return;
    if (last && !slopes([last, next])) {
      // No drift explains it: the clock was set. The line goes on as it was.
      const here = this.#at(x);
      const step = middle - (here.least + here.most) / 2;
      this.#stepped += step;
      this.#steps += 1;
      this.#doubt += (here.most - here.least) / 2;
      this.#intervals = [{ at: x, least: next.least - step, most: next.most - step }];
      return;
    }
    this.#intervals.push(next);
    // The rate itself has changed: what is too old for one line is let go.
    const oldest = x - Number(OLDEST);
    while (this.#intervals.length > MOST_SAMPLES || (this.#intervals[0]?.at ?? x) < oldest)
      this.#intervals.shift();
    while (!slopes(this.#intervals)) this.#intervals.shift();
  }

  /** How often the reference clock was set meanwhile, and by how much in all, ns. */
  get steps(): { readonly count: number; readonly total: Nanos } {
    return { count: this.#steps, total: BigInt(Math.round(this.#stepped)) };
  }

  /** Drift of the reference against the local clock, in parts per billion, ± bound. */
  get drift(): { readonly ppb: number; readonly bound: number } {
    const { least, most } = slopes(this.#intervals) ?? { least: 0, most: 0 };
    return { ppb: ((least + most) / 2) * 1e9, bound: ((most - least) / 2) * 1e9 };
  }

  /**
   * What is known of the offset at an instant, before, between or after the samples.
   * @throws RangeError before the first sample
   */
  offsetAt(at: Nanos): { readonly offset: Nanos; readonly bound: Nanos } {
    if (!this.#zero) throw new RangeError('no clock sample');
    const { least, most } = this.#at(Number(at - this.#zero.at));
    return {
      offset: this.#zero.offset + BigInt(Math.round((least + most) / 2)),
      bound: BigInt(Math.ceil((most - least) / 2 + this.#doubt)),
    };
  }

  #at(x: number): { least: number; most: number } {
    const slope = slopes(this.#intervals) ?? { least: 0, most: 0 };
    let least = Number.NEGATIVE_INFINITY;
    let most = Number.POSITIVE_INFINITY;
    for (const interval of this.#intervals) {
      const after = x - interval.at;
      const [slow, fast] = after >= 0 ? [slope.least, slope.most] : [slope.most, slope.least];
      least = Math.max(least, interval.least + after * slow);
      most = Math.min(most, interval.most + after * fast);
    }
    return { least, most };
  }
}

/** The least and the steepest slope of all lines through the intervals; null where there is no such line. */
function slopes(intervals: readonly Interval[]): { least: number; most: number } | null {
  let least = -MOST_DRIFT / 1e9;
  let most = MOST_DRIFT / 1e9;
  for (const [index, right] of intervals.entries()) {
    for (let other = 0; other < index; other += 1) {
      const left = intervals[other];
      if (!left) continue;
      const apart = right.at - left.at;
      least = Math.max(least, (right.least - left.most) / apart);
      most = Math.min(most, (right.most - left.least) / apart);
    }
  }
  return least <= most ? { least, most } : null;
}
