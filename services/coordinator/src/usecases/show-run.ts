// Keeps what is to be seen of a run, for who watches it elsewhere: each phase at once, progress twice a second. It never
// holds the run up: one write at a time, and what comes meanwhile is told by the next one.
import { viewRun } from '../domain/run-view.ts';
import type { Phase, RunState } from '../domain/run-state.ts';
import type { RunStore } from '../ports/run-store.ts';

const SHOW_MS = 500;

export function showRun(store: Pick<RunStore, 'show'>, run: string): (state: RunState) => void {
  let shown: { phase: Phase; at: number } | null = null;
  let isWriting = false;
  return (state) => {
    const now = performance.now();
    if (isWriting || (shown?.phase === state.phase && now - shown.at < SHOW_MS)) return;
    shown = { phase: state.phase, at: now };
    isWriting = true;
    store
      .show(viewRun(run, state))
      .catch(() => undefined)
      .finally(() => {
        isWriting = false;
      });
  };
}
