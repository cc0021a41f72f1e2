import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordinatorClient } from '@capfleet/cli/coordinator-client';
import { followRun } from '@capfleet/cli/followed-run';
import type { RunReport } from '@capfleet/shared/contract/report';
import { Failure } from '@capfleet/shared/errors/failure';

const report = { run: 'r', outcome: 'stopped' } as RunReport;
const away = new Failure('coordinator-unreachable', { url: 'http://c', reason: 'ECONNREFUSED' });

/** A coordinator that is away for so many requests to stop; the run ends by the first that it gets. */
function restarting(times: number): { client: CoordinatorClient; asked: () => number } {
  let asked = 0;
  let end: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (end = resolve));
  const client: Pick<CoordinatorClient, 'stop' | 'follow'> = {
    stop: () => {
      asked += 1;
      if (asked <= times) return Promise.reject(away);
      end();
      return Promise.resolve();
    },
    follow: async (_run, { signal }) => {
      await Promise.race([over, sleep(8000, undefined, { signal, ref: false })]);
      return report;
    },
  };
  return { client: client as CoordinatorClient, asked: () => asked };
}

test('Ctrl-C ends a run also while its coordinator is being started again', async () => {
  const { client, asked } = restarting(2);
  const world = { interrupted: AbortSignal.abort(), stderr: process.stderr };
  assert.equal(await followRun(client, 'r', world, () => undefined), report);
  assert.equal(asked(), 3);
});
