// Decides which clock a run starts by. The system clocks of the sensors are taken where they are one clock as far as can
// be told: every kernel says that its own is disciplined, and the measurements against Redis put them at one place.
// That place is redis − system, the error of the Redis host's clock, which has no part in the run: it need not be zero.
// A start asked for in wall-clock time is then at that time by the clocks that are disciplined.
import {
  claimedBound,
  type ClockWish,
  type ReferenceName,
  type SystemClockFacts,
} from '@capfleet/shared/contract/reference-clock';
import type { ClockFacts } from '@capfleet/shared/contract/report';
import { behindRedis } from '@capfleet/shared/contract/wall-offset';
import { Failure } from '@capfleet/shared/errors/failure';
import { formatDuration, MICROSECOND, type Nanos } from '@capfleet/shared/time/nanos';

export interface ChosenClock {
  readonly name: ReferenceName;
  /** Why this one, for the report. */
  readonly reason: string;
  /** It is the Redis clock minus this, ns. */
  readonly behindRedis: Nanos;
  /** How well it is known on each sensor, ns. */
  readonly bounds: ReadonlyMap<string, Nanos>;
}

type Clocks = ReadonlyMap<string, ClockFacts>;

/** @throws Failure `system-clock`, where it is asked for and cannot be taken */
export function chooseClock(wish: ClockWish, clocks: Clocks, limit: Nanos): ChosenClock {
  if (wish === 'redis') return redisClock(clocks, 'asked for');
  const system = systemClock(clocks, limit);
  if (typeof system !== 'string') return system;
  if (wish === 'system') throw new Failure('system-clock', { reason: system });
  return redisClock(clocks, system);
}

function redisClock(clocks: Clocks, reason: string): ChosenClock {
  const bounds = new Map([...clocks].map(([sensor, { bound }]) => [sensor, BigInt(bound)]));
  return { name: 'redis', reason, behindRedis: 0n, bounds };
}

/** The system clocks as one; a text: why they are not, with the sensor and the figure. */
function systemClock(clocks: Clocks, limit: Nanos): ChosenClock | string {
  for (const [sensor, { system }] of clocks) {
    if (!system.synchronised)
      return `the system clock of sensor ${sensor} is not synchronised (${claim(system)})`;
  }
  const measured = [...clocks].map(([sensor, facts]) => ({ sensor, ...differenceOf(facts) }));
  const highest = extreme(measured, ({ least }) => least);
  const lowest = extreme(measured, ({ most }) => -most);
  if (!highest || !lowest) return 'there is no sensor';
  if (highest.least > lowest.most) {
    const apart = formatDuration(highest.difference - lowest.difference);
    const known = formatDuration(highest.bound + lowest.bound);
    return `the system clock of sensor ${highest.sensor} is ${apart} behind that of ${lowest.sensor}, measured to ±${known}`;
  }
  const behindRedis = (highest.least + lowest.most) / 2n;
  const bounds = smallerBounds(
    new Map([...clocks].map(([sensor, { system }]) => [sensor, claimedBound(system)])),
    new Map(
      measured.map(({ sensor, difference, bound }) => [sensor, size(difference - behindRedis) + bound]),
    ),
  );
  for (const [sensor, bound] of bounds) {
    if (bound <= limit) continue;
    return `the system clock of sensor ${sensor} is known only to ±${formatDuration(bound)}; the limit is ±${formatDuration(limit)}`;
  }
  const reason = `synchronised on every sensor, ${apartFrom(behindRedis)} the Redis clock`;
  return { name: 'system', reason, behindRedis, bounds };
}

/** redis − system by one sensor's measurements, and the interval that it lies in. */
function differenceOf(facts: ClockFacts): {
  difference: Nanos;
  bound: Nanos;
  least: Nanos;
  most: Nanos;
} {
  const { behind: difference, bound } = behindRedis(facts);
  return { difference, bound, least: difference - bound, most: difference + bound };
}

/**
 * Distances from UTC by the kernels' word, or from the common place by measurement: whichever is better known for the
 * worst sensor, but one of both for all, because they are distances from two things. A kernel's largest error grows by
 * 500 ppm from one update to the next whatever the clock does, so that the measurement often is the better word.
 */
function smallerBounds(
  claimed: ReadonlyMap<string, Nanos>,
  measured: ReadonlyMap<string, Nanos>,
): ReadonlyMap<string, Nanos> {
  const worst = (bounds: ReadonlyMap<string, Nanos>): Nanos =>
    [...bounds.values()].reduce((largest, bound) => (bound > largest ? bound : largest), 0n);
  return worst(claimed) <= worst(measured) ? claimed : measured;
}

/** The first whose value is the largest; undefined of none. */
function extreme<T>(all: readonly T[], valueOf: (each: T) => Nanos): T | undefined {
  return all.reduce<T | undefined>(
    (best, each) => (best === undefined || valueOf(each) > valueOf(best) ? each : best),
    undefined,
  );
}

function claim({ maxErrorUs }: SystemClockFacts): string {
  return `largest error ${formatDuration(BigInt(maxErrorUs) * MICROSECOND)}`;
}

function apartFrom(behindRedis: Nanos): string {
  return `${formatDuration(size(behindRedis))} ${behindRedis < 0n ? 'ahead of' : 'behind'}`;
}

function size(span: Nanos): Nanos {
  return span < 0n ? -span : span;
}
