// Brings a committed start to this host's CLOCK_MONOTONIC: once, by what was measured when the agent said it was ready.
import type { PrepareJob } from '@capfleet/shared/contract/agent-messages';
import type { ReferenceName } from '@capfleet/shared/contract/reference-clock';
import type { ClockFacts } from '@capfleet/shared/contract/report';
import type { Nanos } from '@capfleet/shared/time/nanos';

/** A start as it was committed, ns since the epoch of its clock. */
export interface CommittedStart {
  readonly clock: ReferenceName;
  readonly start: Nanos;
}

/** reference − CLOCK_MONOTONIC, ns. */
export function offsetOf(facts: ClockFacts, clock: ReferenceName): Nanos {
  return BigInt(clock === 'redis' ? facts.offset : facts.system.offset);
}

/** Whether it is the one that was asked for or, where none was, one before the plan is void. */
export function isAllowed(
  { clock, start }: CommittedStart,
  { startAt, validUntil }: Pick<PrepareJob, 'startAt' | 'validUntil'>,
  facts: ClockFacts,
): boolean {
  if (startAt !== null) return start === BigInt(startAt);
  return start - offsetOf(facts, clock) <= BigInt(validUntil) - offsetOf(facts, 'redis');
}
