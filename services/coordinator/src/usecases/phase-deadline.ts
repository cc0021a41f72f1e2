// How long each phase of a run may last.
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { Phase } from '../domain/run-state.ts';

/** Acknowledgements must be in this long before the start, so that a cancel still reaches everybody. */
export const ACKNOWLEDGE_GUARD_MS = 250;
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
    if (phase === 'preparing') this.#begin(this.#prepareMs);
    else if (phase === 'stopping') this.#begin(STOP_DEADLINE_MS);
    else this.#begin(Number.POSITIVE_INFINITY);
  }

  /** @param asked the instant that the lead counts from, as `performance.now()` tells it */
  startsIn(asked: number, lead: Nanos): void {
    this.#startsAt = asked + Number(lead) / 1e6;
  }

  get passed(): boolean {
    return performance.now() > this.#end;
  }

  get leftMs(): number {
    return Math.max(1, this.#end - performance.now());
  }

  get #end(): number {
    if (this.#phase === 'committing') return this.#startsAt - ACKNOWLEDGE_GUARD_MS;
    return this.#phase === 'armed' ? this.#startsAt : this.#at;
  }

  #begin(milliseconds: number): void {
    this.seconds = milliseconds / 1000;
    this.#at = performance.now() + milliseconds;
  }
}
