// Notices that this host's wall clock is set. Whoever disciplines it steers CLOCK_MONOTONIC with it, so that the distance
// of the two is the same for ever unless somebody sets the one: any change beyond what the readings are sure of is a step.
import { claimedBound, type SystemClockFacts } from '@capfleet/shared/contract/reference-clock';
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { SystemClock } from './ports/system-clock.ts';

export class WallWatch {
  readonly #clock: SystemClock;
  #last: SystemClockFacts;
  #count = 0;
  #total: Nanos = 0n;
  #worst: Nanos;

  /** @param from the reading that later ones are held against */
  constructor(clock: SystemClock, from: SystemClockFacts) {
    this.#clock = clock;
    this.#last = from;
    this.#worst = claimedBound(from);
  }

  look(): void {
    const now = this.#clock.read();
    const bound = claimedBound(now);
    if (bound > this.#worst) this.#worst = bound;
    const step = BigInt(now.offset) - BigInt(this.#last.offset);
    const doubt = BigInt(now.readBound) + BigInt(this.#last.readBound);
    if (step <= doubt && step >= -doubt) return;
    this.#last = now;
    this.#count += 1;
    this.#total += step;
  }

  /** How often it was set, and by how much in all, ns. */
  get set(): { readonly count: number; readonly total: Nanos } {
    return { count: this.#count, total: this.#total };
  }

  /** The largest error that its kernel did not rule out, ns. */
  get worst(): Nanos {
    return this.#worst;
  }
}
