// What is known of a sensor's clock, in words. Pure.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { duration } from './format.ts';

/** Its host's wall clock against the reference clock (Redis), as it was measured last; null: it was not yet. */
function wallClock({ clock }: Pick<Registration, 'clock'>): { offset: bigint; bound: bigint } | null {
  if (!clock) return null;
  return {
    offset: BigInt(clock.system.offset) - BigInt(clock.offset),
    bound: BigInt(clock.bound) + BigInt(clock.system.readBound),
  };
}

export function offsetText(registration: Pick<Registration, 'clock'>): string {
  const wall = wallClock(registration);
  if (!wall) return 'not measured yet';
  const sign = wall.offset > 0n ? '+' : wall.offset < 0n ? '−' : '';
  const size = wall.offset < 0n ? -wall.offset : wall.offset;
  return `${sign}${duration(size)} ± ${duration(wall.bound)}`;
}

export function disciplineText({ systemClock }: Pick<Registration, 'systemClock'>): string {
  if (!systemClock) return 'unknown';
  return systemClock.synchronised
    ? `disciplined, within ${duration(systemClock.maxErrorUs * 1000)}`
    : 'not disciplined';
}
