// What is to be seen of a run, out of its state.
import type { RunView } from '@capfleet/shared/contract/run-view';
import { formatInstant } from '@capfleet/shared/time/nanos';
import type { RunState } from './run-state.ts';

export function viewRun(run: string, { phase, start, clock, stopAsked, sensors }: RunState): RunView {
  return {
    run,
    phase,
    start: start === null ? null : formatInstant(start),
    clock: clock?.name ?? null,
    stopAsked,
    sensors: [...sensors].map(([sensor, { ready, isAway, progress, result, error }]) => ({
      sensor,
      ready: ready !== null,
      away: isAway,
      progress: progress && {
        sent: progress.sent,
        sentBytes: progress.sentBytes,
        refused: progress.refused,
        position: progress.position,
        loops: progress.loops,
        lateness: progress.lateness,
      },
      outcome: result?.outcome ?? null,
      error,
    })),
  };
}
