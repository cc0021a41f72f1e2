// What an agent knows of clocks: the reference clock, measured before and during a play and followed by its due times;
// and this host's wall clock, of which only is told whether somebody set it.
import type { ClockCourse, ClockFacts } from '@capfleet/shared/contract/report';
import { ClockLine } from '@capfleet/shared/time/clock-line';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import type { ReferenceClock } from './ports/reference-clock.ts';
import type { Course } from './slew.ts';
import { Steering } from './steering.ts';

/** For a start, and to keep up with it. */
const PROBES = 60;
const FEW_PROBES = 12;
/** The wall clock is read in whole milliseconds, and slewed by less than that between two looks. */
const SMALLEST_STEP: Nanos = 5n * MILLISECOND;
const LOOKS = 5;

export interface LocalClocks {
  /** CLOCK_MONOTONIC, ns. */
  readonly monotonicNow: () => Nanos;
  /** Wall clock, ns since the epoch. */
  readonly wallNow: () => Nanos;
}

export class ClockWatch {
  readonly #reference: ReferenceClock;
  readonly #local: LocalClocks;
  #line = new ClockLine();
  #roundTrip: Nanos = 0n;
  #steering: Steering | null = null;
  #worst: Nanos = 0n;
  #slewed: Nanos = 0n;
  #wallOffset: Nanos = 0n;
  #wallSet = { count: 0, total: 0n };
  /** The latest measurement; they come one after the other. */
  #measuring: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(reference: ReferenceClock, local: LocalClocks) {
    this.#reference = reference;
    this.#local = local;
  }

  /** For a start: what clocks were set by before does not count. Waits for as long as nobody answers. */
  async facts(): Promise<ClockFacts> {
    this.#steering = null;
    await this.#measure(PROBES);
    if (this.#line.steps.count > 0) {
      this.#line = new ClockLine();
      await this.#measure(PROBES);
    }
    return this.#facts();
  }

  /** Once more, after a play. */
  async factsAfter(): Promise<ClockFacts> {
    await this.#measure(FEW_PROBES);
    return this.#facts();
  }

  /**
   * From here on due times are kept with the reference clock.
   * @param origin the start, CLOCK_MONOTONIC
   * @param startOffset reference − monotonic that it was converted by
   */
  begin(origin: Nanos, startOffset: Nanos): void {
    this.#steering = new Steering(this.#line, origin, startOffset);
    this.#worst = this.#steering.boundAt(this.#local.monotonicNow());
    this.#slewed = 0n;
    this.#wallSet = { count: 0, total: 0n };
    this.#wallOffset = this.#readWallOffset();
  }

  /** To be called once a second of a play. @returns where due times are to head for; null: on as before */
  async follow(): Promise<Course | null> {
    this.#lookAtWall();
    const steering = this.#steering;
    // Without an answer the course goes on by what is known.
    if (this.#waiting === 0) void this.#measure(FEW_PROBES).catch(() => undefined);
    await Promise.race([this.#measuring, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    if (!steering || steering !== this.#steering) return null;
    const now = this.#local.monotonicNow();
    const course = steering.next(now);
    const bound = steering.boundAt(now);
    if (bound > this.#worst) this.#worst = bound;
    this.#slewed = steering.shiftAt(now);
    return course;
  }

  /** What the reference clock showed at an instant of the play, if nobody had set it, ns since the epoch. */
  referenceAt(instant: Nanos): Nanos {
    return this.#steering?.referenceAt(instant) ?? instant + this.#line.offsetAt(instant).offset;
  }

  /** Of the play that has ended. */
  course(): ClockCourse {
    this.#lookAtWall();
    const { ppb, bound } = this.#line.drift;
    const text = ({ count, total }: { count: number; total: Nanos }): ClockCourse['wallSet'] => ({
      count,
      total: String(total),
    });
    return {
      drift: { ppb: Math.round(ppb), bound: Math.ceil(bound) },
      worstBound: String(this.#worst),
      slewed: String(this.#slewed),
      referenceSet: text(this.#line.steps),
      wallSet: text(this.#wallSet),
    };
  }

  close(): Promise<void> {
    return this.#reference.close();
  }

  /** @throws as the reference clock does */
  async #measure(probes: number): Promise<void> {
    this.#waiting += 1;
    const measured = this.#measuring.then(() => this.#reference.measure(probes));
    const taken = measured.then((best) => {
      this.#roundTrip = best.roundTrip;
      this.#line.add(best);
    });
    this.#measuring = taken.catch(() => undefined).then(() => void (this.#waiting -= 1));
    return taken;
  }

  #facts(): ClockFacts {
    const { offset, bound } = this.#line.offsetAt(this.#local.monotonicNow());
    return {
      offset: String(offset),
      bound: String(bound),
      roundTrip: String(this.#roundTrip),
      probes: PROBES,
    };
  }

  #lookAtWall(): void {
    const offset = this.#readWallOffset();
    const step = offset - this.#wallOffset;
    if (step < SMALLEST_STEP && step > -SMALLEST_STEP) return;
    this.#wallOffset = offset;
    this.#wallSet = { count: this.#wallSet.count + 1, total: this.#wallSet.total + step };
  }

  /** Wall − monotonic, from the look that was interrupted the least. */
  #readWallOffset(): Nanos {
    let best = { offset: 0n, width: -1n };
    for (let look = 0; look < LOOKS; look += 1) {
      const before = this.#local.monotonicNow();
      const wall = this.#local.wallNow();
      const width = this.#local.monotonicNow() - before;
      if (best.width < 0n || width < best.width) best = { offset: wall - before, width };
    }
    return best.offset;
  }
}
