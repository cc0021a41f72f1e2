// Whether Redis answers. Commands wait for a connection that is lost; who asks for something must not.
import type { Redis } from 'ioredis';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect, redactUrl } from '@capfleet/shared/redis/connect';
import type { Health } from '../ports/health.ts';

const PATIENCE_MS = 1000;

export function redisHealth(redis: string, log: Logger): Health & { close(): void } {
  const client: Redis = connect(redis, 'coordinator-health', log);
  return {
    async check() {
      let timer: NodeJS.Timeout | undefined;
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          const reason = `no answer within ${String(PATIENCE_MS)} ms`;
          reject(new Failure('redis-unreachable', { url: redactUrl(redis), reason }));
        }, PATIENCE_MS);
      });
      const answer = client.ping();
      answer.catch(() => undefined);
      try {
        await Promise.race([answer, silence]);
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      client.disconnect();
    },
  };
}
