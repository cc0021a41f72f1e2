// Carries through every run that no other coordinator does: those that are asked for here, and those whose coordinator is
// gone, which are looked for once a second. Several keepers over one Redis share the runs, since a run has one holder.
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import type { RunStore } from '../ports/run-store.ts';
import { resumeRun } from './replay-run.ts';
import type { RunWorld } from './run-request.ts';

const LOOK_MS = 1000;
/** What cannot be carried on is not tried again sooner. */
const RETRY_MS = 5000;

export interface RunKeeper {
  /** Takes a run up at once, where no other coordinator has it. */
  take(run: string): void;
  /** Gives all runs back as they are: they go on, and another coordinator takes them up. */
  close(): Promise<void>;
}

export interface RunKeeperWorld {
  readonly store: Pick<RunStore, 'adrift'>;
  /** Each run is carried through with a world of its own. */
  readonly open: () => RunWorld & { close(): Promise<void> };
  readonly log: Logger;
}

export function keepRuns({ store, open, log }: RunKeeperWorld): RunKeeper {
  const leaving = new AbortController();
  const leave = leaving.signal;
  const carried = new Map<string, Promise<void>>();
  const never = new AbortController().signal;

  async function carry(run: string): Promise<void> {
    const world = open();
    try {
      log.info({ run }, 'carrying a run through');
      const { outcome } = await resumeRun(world, run, {
        interrupted: never,
        leave,
        onChange: () => undefined,
      });
      log.info({ run, outcome }, 'the run is over');
    } catch (thrown) {
      if (leave.aborted || asFailure(thrown).code === 'run-taken') return;
      log.error({ run, reason: reasonOf(thrown) }, 'carrying a run through failed');
      await pause(RETRY_MS);
    } finally {
      await world.close();
    }
  }

  function take(run: string): void {
    if (leave.aborted || carried.has(run)) return;
    carried.set(
      run,
      carry(run).finally(() => carried.delete(run)),
    );
  }

  async function look(): Promise<void> {
    while (!leave.aborted) {
      try {
        for (const run of await store.adrift()) take(run);
      } catch (thrown) {
        log.warn({ reason: reasonOf(thrown) }, 'looking for runs');
      }
      await pause(LOOK_MS);
    }
  }

  const pause = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, undefined, { signal: leave }).catch(() => undefined);
  const looking = look();
  return {
    take,
    async close() {
      leaving.abort(new Error('this coordinator ends'));
      await Promise.allSettled([looking, ...carried.values()]);
    },
  };
}
