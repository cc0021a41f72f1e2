// The runs that are kept, as they are listed: where each is, and what became of it.
import type { RunSummary } from '@capfleet/shared/contract/api';
import { formatInstant } from '@capfleet/shared/time/nanos';
import type { RunListing, RunStore } from '../ports/run-store.ts';

/** The latest first, at most so many. */
export async function listRuns(store: Pick<RunStore, 'list'>, most: number): Promise<RunSummary[]> {
  return (await store.list(most)).map(summarise);
}

export function summarise({ record, isHeld, outcome, view }: RunListing): RunSummary {
  const { run, created, sensors } = record;
  const isUnderWay = isHeld && outcome === null;
  return {
    run,
    created: formatInstant(BigInt(created)),
    sensors,
    state: outcome?.outcome ?? (isHeld ? 'under way' : 'orphaned'),
    phase: isUnderWay ? (view?.phase ?? 'waiting') : null,
    start: isUnderWay ? (view?.start ?? null) : null,
    holds: outcome?.holds ?? null,
  };
}
