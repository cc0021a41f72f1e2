// What is known of a sensor's clock, in words. Pure.
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { behindRedis } from '@capfleet/shared/contract/wall-offset';
import { duration } from './format.ts';

/** Its host's wall clock against the reference clock (Redis), as it was measured last; in the words of a report. */
export function offsetText({ clock }: Pick<Registration, 'clock'>): string {
  if (!clock) return 'not measured yet';
  const { behind, bound } = behindRedis(clock);
  return `${duration(behind < 0n ? -behind : behind)} ${behind < 0n ? 'ahead' : 'behind'} ± ${duration(bound)}`;
}

export function disciplineText({ systemClock }: Pick<Registration, 'systemClock'>): string {
  if (!systemClock) return 'unknown';
  return systemClock.synchronised
    ? `disciplined, within ${duration(systemClock.maxErrorUs * 1000)}`
    : 'not disciplined';
}
