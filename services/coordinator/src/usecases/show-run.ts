// Keeps what is to be seen of a run, for who watches it elsewhere: each phase at once, progress now and then. It never
// holds the run up.
import { viewRun } from '../domain/run-view.ts';
import type { Phase, RunState } from '../domain/run-state.ts';
import type { RunStore } from '../ports/run-store.ts';
import { sparingly } from './sparingly.ts';

export function showRun(store: Pick<RunStore, 'show'>, run: string): (state: RunState) => void {
  const show = sparingly((state: RunState) => store.show(viewRun(run, state)));
  let shown: Phase | null = null;
  return (state) => {
    if (show(state, state.phase !== shown)) shown = state.phase;
  };
}
