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
  for (const [sensor, { bound }] of clocks) {
    if (BigInt(bound) <= maxClockBound) continue;
    throw new Failure('clock-bound', {
      sensor,
      bound: formatDuration(BigInt(bound)),
      limit: formatDuration(maxClockBound),
    });
  }
  return now + lead;
}
