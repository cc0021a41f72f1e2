// What runs are carried through with, over Redis, in the name of one coordinator.
import { randomUUID } from 'node:crypto';
import type { Logger } from '@capfleet/shared/log/logger';
import type { RunWorld } from '../usecases/run-request.ts';
import { redisRunStore } from './redis-run-store.ts';
import { redisSensorChannel } from './redis-sensor-channel.ts';

export interface OpenRunWorld extends RunWorld {
  close(): Promise<void>;
}

/** For one run at a time. */
export function redisRunWorld(redis: string, log: Logger): OpenRunWorld {
  const holder = randomUUID();
  const channel = redisSensorChannel(redis, holder, log);
  const store = redisRunStore(redis, holder, log);
  return {
    channel,
    store,
    async close() {
      await Promise.all([channel.close(), store.close()]);
    },
  };
}
