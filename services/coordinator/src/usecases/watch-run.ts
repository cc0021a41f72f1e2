// A run as it is watched from elsewhere: its present state at once, then each change of it, its report last. What is told
// is always the whole, and nothing is kept for a reader who is slow: such a one misses some of the states.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import { unseenView, type RunView } from '@capfleet/shared/contract/run-view';
import type { RunStore } from '../ports/run-store.ts';

const LOOK_MS = 250;

export type RunNews =
  | { readonly type: 'state'; readonly view: RunView }
  | { readonly type: 'report'; readonly report: RunReport }
  /** Nothing has changed; told so that the reader can tell it from a dead connection. */
  | { readonly type: 'quiet' };

/**
 * Ends behind the report, or when the signal does.
 * @throws Failure `run-unknown`
 */
export async function* watchRun(
  store: Pick<RunStore, 'load' | 'report' | 'view'>,
  run: string,
  quietMs: number,
  signal: AbortSignal,
): AsyncGenerator<RunNews> {
  const { record } = await store.load(run);
  let told = '';
  let at = performance.now();
  while (!signal.aborted) {
    const report = await store.report(run);
    if (report) {
      yield { type: 'report', report };
      return;
    }
    const view = (await store.view(run)) ?? unseenView(run, record.sensors);
    const text = JSON.stringify(view);
    const isNews = text !== told;
    if (isNews || performance.now() - at >= quietMs) {
      told = text;
      at = performance.now();
      yield isNews ? { type: 'state', view } : { type: 'quiet' };
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
