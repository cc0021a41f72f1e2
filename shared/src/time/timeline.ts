// The one timeline of a run: due = floor(((ts − base) + loop · period) / speed) + loop · delay, in ns after T0. Always computed
// from the origin, so no error adds up. The hot path is plain-number integer arithmetic that loses no bit; a run
// longer than a plain number can count is cut into segments with a bigint origin each (see `origin`).
import { SECOND, toSecondsAndNanos, type Nanos } from './nanos.ts';
import type { Rational } from './rational.ts';

/** Seconds of wire time that a segment may span: 2⁵² ns, half of what a plain number counts exactly. */
const SEGMENT_SECONDS = 4_503_599;

/** A ratio slower than this would make segments shorter than a second. */
export const SLOWEST = 1 / SEGMENT_SECONDS;

export class Timeline {
  /** Due time of the current segment's start, ns after T0. Changes only when `locate` returns true. */
  origin: Nanos = 0n;

  readonly #base: Nanos;
  readonly #period: Nanos;
  readonly #numerator: number;
  readonly #denominator: number;
  readonly #segmentSeconds: number;
  readonly #loopDelay: Nanos;
  #loop = 0;
  #anchorSeconds = Number.NaN;
  #anchorNanos = 0;
  /** Numerator's share that the origin's floor cut off; carried into every due time of the segment. */
  #remainder = 0;

  /**
   * @param base start of the whole data set's window, ns since the epoch (never that of a sensor's own share)
   * @param period length of the window in source time, ns; added once per loop
   * @param speed exact ratio; 2 plays twice as fast
   * @param loopDelay ns on the wire between the end of a loop and the start of the next
   */
  constructor(base: Nanos, period: Nanos, speed: Rational, loopDelay: Nanos = 0n) {
    if (speed.numerator / speed.denominator < SLOWEST)
      throw new RangeError('speed is too slow for the timeline');
    this.#base = base;
    this.#period = period;
    this.#loopDelay = loopDelay;
    this.#numerator = speed.numerator;
    this.#denominator = speed.denominator;
    this.#segmentSeconds = Math.max(
      1,
      Math.min(SEGMENT_SECONDS, Math.floor((SEGMENT_SECONDS * speed.numerator) / speed.denominator)),
    );
  }

  /** Starts loop number `loop` (0 is the first). The next `locate` moves the origin. */
  enterLoop(loop: number): void {
    this.#loop = loop;
    this.#anchorSeconds = Number.NaN;
  }

  /**
   * Makes sure that the current segment holds the instant.
   * @returns true where `origin` changed and must be told to the pacer before the next `due`
   */
  locate(seconds: number): boolean {
    const distance = seconds - this.#anchorSeconds;
    if (distance >= 0 && distance < this.#segmentSeconds) return false;
    this.#anchor(seconds);
    return true;
  }

  /** Due time of a packet, ns after `origin`; `locate(seconds)` comes first. Negative before the base. */
  due(seconds: number, nanos: number): number {
    const distance = (seconds - this.#anchorSeconds) * 1e9 + (nanos - this.#anchorNanos);
    const numerator = this.#numerator;
    if (numerator === 1 && this.#denominator === 1) return distance;
    // Floor division in exact integers: distance · d / n = quotient · d + (rest · d + remainder) / n
    let rest = distance % numerator;
    if (rest < 0) rest += numerator;
    const quotient = (distance - rest) / numerator;
    const tail = rest * this.#denominator + this.#remainder;
    const tailRest = tail % numerator;
    return quotient * this.#denominator + (tail - tailRest) / numerator;
  }

  #anchor(seconds: number): void {
    const base = toSecondsAndNanos(this.#base);
    this.#anchorNanos = base.nanos;
    this.#anchorSeconds =
      Number.isNaN(this.#anchorSeconds) &&
      seconds - base.seconds < this.#segmentSeconds &&
      seconds >= base.seconds
        ? base.seconds
        : seconds;
    const distance = BigInt(this.#anchorSeconds - base.seconds) * SECOND + BigInt(this.#loop) * this.#period;
    const scaled = distance * BigInt(this.#denominator);
    const numerator = BigInt(this.#numerator);
    let remainder = scaled % numerator;
    if (remainder < 0n) remainder += numerator;
    this.origin = (scaled - remainder) / numerator + BigInt(this.#loop) * this.#loopDelay;
    this.#remainder = Number(remainder);
  }
}

/** The due time of one instant by bigint arithmetic: what `Timeline` must agree with, and for use off the hot path. */
export function dueOf(time: Nanos, base: Nanos, period: Nanos, speed: Rational, loop = 0): Nanos {
  const scaled = (time - base + BigInt(loop) * period) * BigInt(speed.denominator);
  const numerator = BigInt(speed.numerator);
  const remainder = scaled % numerator;
  return (scaled - (remainder < 0n ? remainder + numerator : remainder)) / numerator;
}
