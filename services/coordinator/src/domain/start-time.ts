// Decides when a run starts, or that it must not: a start is only as good as the worst clock, and needs enough lead
// to reach every sensor.
import type { ClockFacts } from '@capfleet/shared/contract/report';
import { Failure } from '@capfleet/shared/errors/failure';
import { formatDuration, type Nanos } from '@capfleet/shared/time/nanos';

export interface StartRequest {
  /** Now on the reference clock. */
  readonly now: Nanos;
  readonly lead: Nanos;
  readonly maxClockBound: Nanos;
  readonly clocks: ReadonlyMap<string, ClockFacts>;
}

/**
 * The start on the reference clock.
 * @throws Failure `clock-bound`, naming the sensor whose clock is known worst
 */
export function decideStart({ now, lead, maxClockBound, clocks }: StartRequest): Nanos {
  let worst = { sensor: '', bound: -1n };
  for (const [sensor, clock] of clocks) {
    const bound = BigInt(clock.bound);
    if (bound > worst.bound) worst = { sensor, bound };
  }
  if (worst.bound > maxClockBound) {
    throw new Failure('clock-bound', {
      sensor: worst.sensor,
      bound: formatDuration(worst.bound),
      limit: formatDuration(maxClockBound),
    });
  }
  return now + lead;
}
