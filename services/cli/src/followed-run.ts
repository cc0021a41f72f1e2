// A run that a coordinator carries through, followed to its report; Ctrl-C ends it as it does in local use.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunView } from '@capfleet/shared/contract/run-view';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { CoordinatorClient } from './coordinator-client.ts';
import type { World } from './world.ts';

/** What stopping may take, and a coordinator to notice. */
const PATIENCE_MS = 15_000;
/** A coordinator that is being started again is asked again. */
const RETRY_MS = 500;

/** @throws Failure of the coordinator; `run-unreported` where it was told to stop and no report came */
export async function followRun(
  client: CoordinatorClient,
  run: string,
  { interrupted, stderr }: Pick<World, 'interrupted' | 'stderr'>,
  onView: (view: RunView) => void,
): Promise<RunReport> {
  const patience = new AbortController();
  const { signal } = patience;
  const pause = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, undefined, { signal }).catch(() => undefined);
  const askToStop = async (): Promise<void> => {
    while (!signal.aborted) {
      const failure = await client.stop(run).then(() => null, asFailure);
      if (!failure?.retryable) return;
      await pause(RETRY_MS);
    }
  };
  const onInterrupt = (): void => {
    void askToStop();
    void pause(PATIENCE_MS).then(() => {
      patience.abort(new Failure('run-unreported', { run }));
    });
  };
  if (interrupted.aborted) onInterrupt();
  else interrupted.addEventListener('abort', onInterrupt, { once: true });
  try {
    return await client.follow(run, {
      onView,
      onLost({ message }) {
        stderr.write(`capfleet: ${message}; run ${run} goes on, and is found again\n`);
      },
      signal,
    });
  } finally {
    interrupted.removeEventListener('abort', onInterrupt);
    patience.abort();
  }
}

/** Tells a run to stop and waits for its report. */
export async function stopRun(
  client: CoordinatorClient,
  run: string,
  interrupted: AbortSignal,
): Promise<RunReport> {
  await client.stop(run);
  const patience = new AbortController();
  const timer = setTimeout(() => {
    patience.abort(new Failure('run-unreported', { run }));
  }, PATIENCE_MS);
  try {
    return await client.follow(run, {
      onView: () => undefined,
      onLost: () => undefined,
      signal: AbortSignal.any([patience.signal, interrupted]),
    });
  } finally {
    clearTimeout(timer);
  }
}
