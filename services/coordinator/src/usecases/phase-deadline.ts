// How long each phase of a run may last.
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { Phase } from '../domain/run-state.ts';

/** Acknowledgements must be in this long before the start, so that a cancel still reaches everybody. */
export const ACKNOWLEDGE_GUARD_MS = 250;
/** However far off the start is: who is silent for so long is not there. */
const LONGEST_ACKNOWLEDGE_MS = 10_000;
export const STOP_DEADLINE_MS = 5000;

/** Of the current phase; playing has no end of its own. */
export class PhaseDeadline {
  seconds = 0;
  #phase: Phase | null = null;
  #at = Number.POSITIVE_INFINITY;
  #startsAt = 0;

  readonly #prepareMs: number;

  constructor(prepareMs: number) {
    this.#prepareMs = prepareMs;
  }

  follow(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    // The commit's deadline hangs on its start, see `beginCommit`.
    if (phase === 'preparing') this.#begin(this.#prepareMs);
    else if (phase === 'stopping') this.#begin(STOP_DEADLINE_MS);
    else if (phase === 'armed') this.#end(this.#startsAt);
    else if (phase !== 'committing') this.#begin(Number.POSITIVE_INFINITY);
  }

  /** @param asked the instant that the lead counts from, as `performance.now()` tells it */
  beginCommit(asked: number, lead: Nanos): void {
    this.#phase = 'committing';
    this.#startsAt = asked + Number(lead) / 1e6;
    const left = this.#startsAt - ACKNOWLEDGE_GUARD_MS - performance.now();
    this.#begin(Math.min(left, LONGEST_ACKNOWLEDGE_MS));
  }

  get passed(): boolean {
    return performance.now() > this.#at;
  }

  get leftMs(): number {
    return Math.max(1, this.#at - performance.now());
  }

  #begin(milliseconds: number): void {
    this.seconds = milliseconds / 1000;
    this.#end(performance.now() + milliseconds);
  }

  #end(at: number): void {
    this.#at = at;
  }
}
