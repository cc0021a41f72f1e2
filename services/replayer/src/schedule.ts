// When each packet of a sensor is due: by its stamp on the run's timeline, at a rate, or at once. Every due time is
// computed from the run's start, in integers, so that no error adds up.
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { parseRational, type Rational } from '@capfleet/shared/time/rational';
import { Timeline } from '@capfleet/shared/time/timeline';

/** ns of a unit at a rate of one, in two factors, so that no product needs more than 53 bits. */
const SECOND_FACTORS = [31_250, 32_000] as const;
const MICROSECOND_FACTORS = [1000, 1] as const;
/** A due time of a rate that is beyond this moves the origin. */
const FAR = 2 ** 51;

export interface Schedule {
  /** ns after T0; due times count from here. Changes only when `place` returns true. */
  readonly origin: Nanos;
  /** Of the packet that was placed last: ns after `origin`. */
  readonly due: number;
  /** What gaps were shortened by, ns on the wire. */
  readonly shortened: Nanos;
  /** Whether the place of a packet depends on those that were placed before it. */
  readonly isRelative: boolean;
  /** Starts loop number `loop` (0 is the first). */
  enterLoop(loop: number): void;
  /**
   * Places the next packet of the sequence.
   * @param bytes of the frame
   * @returns true where `origin` changed and must be told to the pacer first
   */
  place(seconds: number, nanos: number, bytes: number): boolean;
}

export function createSchedule(timeline: RunTimeline): Schedule {
  const { pace, loopDelay, maxGap } = timeline;
  switch (pace.kind) {
    case 'original':
      return new StampSchedule(timeline, BigInt(loopDelay), maxGap === null ? null : Number(maxGap));
    case 'packets':
      return new RateSchedule(ratioOf(pace.perSecond), () => 1, SECOND_FACTORS, BigInt(loopDelay));
    case 'megabits':
      return new RateSchedule(
        ratioOf(pace.perSecond),
        (bytes) => 8 * bytes,
        MICROSECOND_FACTORS,
        BigInt(loopDelay),
      );
    case 'top':
      return new AtOnce();
  }
}

function ratioOf(text: string): Rational {
  const ratio = parseRational(text);
  if (!ratio) throw new RangeError(`no ratio: ${text}`);
  return ratio;
}

/** By the stamps; a gap on the wire that is longer than `maxGap` becomes that long, and all after it comes earlier. */
class StampSchedule implements Schedule {
  due = 0;
  shortened: Nanos = 0n;
  readonly #timeline: Timeline;
  readonly #maxGap: number | null;
  /** Latest due time so far, from the timeline's origin. */
  #latest: number | null = null;

  constructor({ base, period, speed }: RunTimeline, loopDelay: Nanos, maxGap: number | null) {
    this.#timeline = new Timeline(BigInt(base), BigInt(period), ratioOf(speed), loopDelay);
    this.#maxGap = maxGap;
  }

  get origin(): Nanos {
    return this.#timeline.origin - this.shortened;
  }

  get isRelative(): boolean {
    return this.#maxGap !== null;
  }

  enterLoop(loop: number): void {
    this.#timeline.enterLoop(loop);
  }

  place(seconds: number, nanos: number): boolean {
    const before = this.#timeline.origin;
    const moved = this.#timeline.locate(seconds);
    this.due = this.#timeline.due(seconds, nanos);
    return this.#maxGap === null ? moved : this.#shorten(this.#maxGap, moved ? before : null) || moved;
  }

  /** @param before the origin that `#latest` counts from, where that is not the current one */
  #shorten(maxGap: number, before: Nanos | null): boolean {
    const { due } = this;
    const latest = this.#latest;
    this.#latest = due;
    if (latest === null) return false;
    const gap =
      before === null ? due - latest : BigInt(due) + this.#timeline.origin - (BigInt(latest) + before);
    // A stamp that runs backwards makes no gap after it.
    if (gap < 0) this.#latest = due - Number(gap);
    if (gap <= maxGap) return false;
    this.shortened += BigInt(gap) - BigInt(maxGap);
    return true;
  }
}

/** So many units per time, the first at once: unit n is due at floor(n · time / rate). */
class RateSchedule implements Schedule {
  origin: Nanos = 0n;
  due = 0;
  readonly shortened = 0n;
  readonly isRelative = true;
  readonly #rate: Rational;
  readonly #unitsOf: (bytes: number) => number;
  readonly #factors: readonly [number, number];
  readonly #loopDelay: Nanos;
  /** Where the next packet goes: `#next` ns after the origin, and a remainder in parts of the rate's numerator. */
  #next = 0;
  #remainder = 0;
  #started = false;

  constructor(
    rate: Rational,
    unitsOf: (bytes: number) => number,
    factors: readonly [number, number],
    loopDelay: Nanos,
  ) {
    this.#rate = rate;
    this.#unitsOf = unitsOf;
    this.#factors = factors;
    this.#loopDelay = loopDelay;
  }

  enterLoop(loop: number): void {
    if (loop > 0) this.#next += Number(this.#loopDelay);
  }

  place(_seconds: number, _nanos: number, bytes: number): boolean {
    const moved = !this.#started || this.#next > FAR;
    if (this.#started && moved) {
      this.origin += BigInt(this.#next);
      this.#next = 0;
    }
    this.#started = true;
    this.due = this.#next;
    const { numerator, denominator } = this.#rate;
    const [coarse, fine] = this.#factors;
    const parts = this.#unitsOf(bytes) * denominator;
    const first = (parts % numerator) * coarse;
    const second = (first % numerator) * fine;
    const tail = this.#remainder + (second % numerator);
    this.#next +=
      Math.floor(parts / numerator) * coarse * fine +
      Math.floor(first / numerator) * fine +
      Math.floor(second / numerator) +
      Math.floor(tail / numerator);
    this.#remainder = tail % numerator;
    return moved;
  }
}

/** Without waiting. */
class AtOnce implements Schedule {
  readonly origin = 0n;
  readonly due = 0;
  readonly shortened = 0n;
  readonly isRelative = false;
  #started = false;

  enterLoop(): void {
    // Nothing waits between loops either.
  }

  place(): boolean {
    const first = !this.#started;
    this.#started = true;
    return first;
  }
}
