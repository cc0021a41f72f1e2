// The coordinator as a process: owns the runs in its Redis, and serves the API, until it is told to end.
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { createLogger, type LogLevel } from '@capfleet/shared/log/logger';
import { untilTold } from '@capfleet/shared/process/lifetime';
import { redisHealth } from './adapters/redis-health.ts';
import { redisPlanStore } from './adapters/redis-plan-store.ts';
import { redisRunWorld } from './adapters/redis-run-world.ts';
import { redisSetStore } from './adapters/redis-set-store.ts';
import { buildApi } from './http/build-api.ts';
import { keepRuns } from './usecases/run-keeper.ts';

/** Without Redis there is nothing to give back. */
const CLOSE_DEADLINE_MS = 5000;

export interface CoordinatorProcessOptions {
  readonly redis: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly token: string;
  readonly version: string;
  readonly logLevel: LogLevel;
}

/** @throws Failure `listen-failed` */
export async function runCoordinator(options: CoordinatorProcessOptions): Promise<void> {
  const told = untilTold();
  const { redis, listen, token, version } = options;
  const log = createLogger('coordinator', options.logLevel);
  const closing = new AbortController();
  const runs = redisRunWorld(redis, log);
  const health = redisHealth(redis, log);
  const sets = redisSetStore(redis, log);
  const plans = redisPlanStore(redis, log);
  const keeper = keepRuns({ store: runs.store, open: () => redisRunWorld(redis, log), log });
  const kept = { ...runs, sets, plans, keeper };
  const api = await buildApi({ ...kept, health, closing: closing.signal, token, version, log });
  try {
    const address = await api.listen(listen).catch((error: unknown) => {
      const where = `${listen.host}:${String(listen.port)}`;
      throw new Failure('listen-failed', { address: where, reason: reasonOf(error) }, { cause: error });
    });
    log.info({ address }, 'coordinator ready');
    await told;
  } finally {
    closing.abort();
    const closed = Promise.all([keeper.close(), api.close()]).then(() => runs.close());
    await Promise.race([closed, sleep(CLOSE_DEADLINE_MS)]);
    for (const each of [health, sets, plans]) each.close();
  }
}
