import { unseenView } from '@capfleet/shared/contract/run-view';
import type { RunStore } from '../ports/run-store.ts';
import type { Sight } from './watch.ts';

/**
 * Looks at a run: at its `state`, in the end at its `report`.
 * @throws Failure `run-unknown`
 */
export async function sightOfRun(
  store: Pick<RunStore, 'listing' | 'report' | 'view'>,
  run: string,
): Promise<() => Promise<Sight>> {
  const { record } = await store.listing(run);
  return async () => {
    const report = await store.report(run);
    if (report) return { event: 'report', data: report, isLast: true };
    const view = (await store.view(run)) ?? unseenView(run, record.sensors);
    return { event: 'state', data: view, isLast: false };
  };
}
