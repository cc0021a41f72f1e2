// Decides when a run starts, or that it must not: a start is only as good as the worst clock, and needs enough lead
// to reach every sensor.
import type { ClockWish } from '@capfleet/shared/contract/reference-clock';
import { Failure } from '@capfleet/shared/errors/failure';
import { formatDuration, formatInstant, type Nanos } from '@capfleet/shared/time/nanos';

export interface StartRequest {
  /** Now on the clock of the start. */
  readonly now: Nanos;
  readonly lead: Nanos;
  /** The start that was asked for; null: now and the lead. */
  readonly startAt: Nanos | null;
  readonly maxClockBound: Nanos;
  /** How well each sensor knows that clock, ns. */
  readonly bounds: ReadonlyMap<string, Nanos>;
}

/**
 * The start on the clock that `now` is from.
 * @throws Failure `clock-bound`, naming the sensor whose clock is known worst; `start-past`, `start-too-soon`
 */
export function decideStart({ now, lead, startAt, maxClockBound, bounds }: StartRequest): Nanos {
  let worst = { sensor: '', bound: -1n };
  for (const [sensor, bound] of bounds) {
    if (bound > worst.bound) worst = { sensor, bound };
  }
  if (worst.bound > maxClockBound) {
    throw new Failure('clock-bound', {
      sensor: worst.sensor,
      bound: formatDuration(worst.bound),
      limit: formatDuration(maxClockBound),
    });
  }
  const earliest = now + lead;
  if (startAt === null) return earliest;
  if (startAt <= now) throw past(startAt, now);
  if (startAt < earliest) {
    throw new Failure('start-too-soon', {
      start: formatInstant(startAt),
      now: formatInstant(now),
      lead: formatDuration(lead),
    });
  }
  return startAt;
}

/**
 * Before a clock is chosen. A start that may be by the system clocks is past only where it is by this host's, too.
 * @param redis now, by the Redis clock
 * @param wall now, by the system clock of this host
 * @throws Failure `start-past`
 */
export function checkStartAhead(
  { startAt, clock }: { readonly startAt: Nanos | null; readonly clock: ClockWish },
  redis: Nanos,
  wall: Nanos,
): void {
  const now = clock === 'redis' || redis < wall ? redis : wall;
  if (startAt !== null && startAt <= now) throw past(startAt, now);
}

function past(start: Nanos, now: Nanos): Failure {
  return new Failure('start-past', { start: formatInstant(start), now: formatInstant(now) });
}
