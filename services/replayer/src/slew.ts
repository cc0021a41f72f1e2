// How due times follow a clock that runs at another rate: each is moved by an amount that grows or shrinks evenly, so
// that nothing ever jumps. The native core has the same (native/include/slew.h). Numbers are ns on one clock.
import type { Nanos } from '@capfleet/shared/time/nanos';

/** Instants are CLOCK_MONOTONIC. */
export interface Course {
  /** From here on it counts. */
  readonly since: Nanos;
  readonly at: Nanos;
  /** What due times are to be moved by then, ns. */
  readonly shift: Nanos;
}

const MOST_RATE = 1e-3;

interface Leg {
  readonly since: number;
  readonly shift: number;
  readonly rate: number;
}

export class Slew {
  #before: Leg = { since: 0, shift: 0, rate: 0 };
  #after: Leg = this.#before;

  /** From `since` on heads for a shift of `shift` at `at`, as fast as a thousandth of the time, and keeps that rate. */
  steer(since: number, at: number, shift: number): void {
    // One that has not begun yet is replaced.
    if (since >= this.#after.since) this.#before = this.#after;
    const here = legAt(this.#before, since);
    const rate = at > since ? (shift - here) / (at - since) : 0;
    this.#after = { since, shift: here, rate: Math.max(-MOST_RATE, Math.min(MOST_RATE, rate)) };
  }

  /** The shift of what is due at `due`. */
  at(due: number): number {
    return Math.round(legAt(due < this.#after.since ? this.#before : this.#after, due));
  }
}

function legAt({ since, shift, rate }: Leg, due: number): number {
  return shift + (due - since) * rate;
}
