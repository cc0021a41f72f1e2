// What an agent knows of clocks: Redis', measured before and, where the start is on it, during a play, whose due times
// follow it; and this host's wall clock. A play on that one needs no following: whoever disciplines it steers
// CLOCK_MONOTONIC with it.
import type { ReferenceName } from '@capfleet/shared/contract/reference-clock';
import type { ClockCourse, ClockFacts } from '@capfleet/shared/contract/report';
import { ClockLine } from '@capfleet/shared/time/clock-line';
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { ReferenceClock } from './ports/reference-clock.ts';
import type { SystemClock } from './ports/system-clock.ts';
import type { Course } from './slew.ts';
import { Steering } from './steering.ts';
import { WallWatch } from './wall-watch.ts';

/** For a start, and to keep up with it. */
const PROBES = 60;
const FEW_PROBES = 12;

const never = { count: 0, total: 0n };

export class ClockWatch {
  readonly #reference: ReferenceClock;
  readonly #system: SystemClock;
  /** CLOCK_MONOTONIC, ns. */
  readonly #now: () => Nanos;
  #line = new ClockLine();
  /** Of the latest measurement. */
  #roundTrip: Nanos = 0n;
  #probes = 0;
  /** Null also in a play by the system clock. */
  #steering: Steering | null = null;
  #startOffset: Nanos = 0n;
  #worst: Nanos = 0n;
  #slewed: Nanos = 0n;
  #wall: WallWatch;
  /** The latest measurement; they come one after the other. */
  #measuring: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** @param monotonicNow CLOCK_MONOTONIC, ns */
  constructor(reference: ReferenceClock, system: SystemClock, monotonicNow: () => Nanos) {
    this.#reference = reference;
    this.#system = system;
    this.#now = monotonicNow;
    this.#wall = new WallWatch(system, system.read());
  }

  /** For a start: what clocks were set by before does not count. Waits for as long as nobody answers. */
  facts(): Promise<ClockFacts> {
    return this.#forStart(PROBES);
  }

  /** The same once more, for a start that is waited for. */
  factsAgain(): Promise<ClockFacts> {
    return this.#forStart(FEW_PROBES);
  }

  async #forStart(probes: number): Promise<ClockFacts> {
    this.#steering = null;
    await this.#measure(probes);
    if (this.#line.steps.count > 0) {
      this.#line = new ClockLine();
      await this.#measure(PROBES);
    }
    const facts = this.#facts();
    this.#wall = new WallWatch(this.#system, facts.system);
    return facts;
  }

  /** Once more, after a play. */
  async factsAfter(): Promise<ClockFacts> {
    await this.#measure(FEW_PROBES);
    return this.#facts();
  }

  /**
   * From here on due times are kept with the clock of the start.
   * @param origin the start, CLOCK_MONOTONIC
   * @param startOffset reference − monotonic that it was converted by
   */
  begin(origin: Nanos, startOffset: Nanos, clock: ReferenceName): void {
    this.#startOffset = startOffset;
    this.#steering = clock === 'redis' ? new Steering(this.#line, origin, startOffset) : null;
    this.#worst = this.#steering?.boundAt(this.#now()) ?? 0n;
    this.#slewed = 0n;
  }

  /** To be called once a second of a play. @returns where due times are to head for; null: on as before */
  async follow(): Promise<Course | null> {
    this.#wall.look();
    const steering = this.#steering;
    if (!steering) return null;
    // Without an answer the course goes on by what is known.
    if (this.#waiting === 0) void this.#measure(FEW_PROBES).catch(() => undefined);
    await Promise.race([this.#measuring, new Promise((resolve) => setTimeout(resolve, 500).unref())]);
    if (steering !== this.#steering) return null;
    const now = this.#now();
    const course = steering.next(now);
    const bound = steering.boundAt(now);
    if (bound > this.#worst) this.#worst = bound;
    this.#slewed = steering.shiftAt(now);
    return course;
  }

  /** What the reference clock showed at an instant of the play, if nobody had set it, ns since the epoch. */
  referenceAt(instant: Nanos): Nanos {
    return this.#steering?.referenceAt(instant) ?? instant + this.#startOffset;
  }

  /** Of the play that has ended. */
  course(): ClockCourse {
    this.#wall.look();
    const followed = this.#steering !== null;
    const { ppb, bound } = followed ? this.#line.drift : { ppb: 0, bound: 0 };
    const text = ({ count, total }: { count: number; total: Nanos }): ClockCourse['wallSet'] => ({
      count,
      total: String(total),
    });
    return {
      drift: { ppb: Math.round(ppb), bound: Math.ceil(bound) },
      worstBound: String(followed ? this.#worst : this.#wall.worst),
      slewed: String(this.#slewed),
      referenceSet: text(followed ? this.#line.steps : never),
      wallSet: text(this.#wall.set),
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
      this.#probes = best.probes;
      this.#line.add(best);
    });
    this.#measuring = taken.catch(() => undefined).then(() => void (this.#waiting -= 1));
    return taken;
  }

  #facts(): ClockFacts {
    const { offset, bound } = this.#line.offsetAt(this.#now());
    return {
      offset: String(offset),
      bound: String(bound),
      roundTrip: String(this.#roundTrip),
      probes: this.#probes,
      system: this.#system.read(),
    };
  }
}
