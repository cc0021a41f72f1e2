// Whether Redis answers. Commands wait for a connection that is lost; who asks for something must not.
import { PREFIX } from '../contract/keys.ts';
import { Failure } from '../errors/failure.ts';
import type { Logger } from '../log/logger.ts';
import { connect, redactUrl } from './connect.ts';
import { callKeyless } from './keyless.ts';

const PATIENCE_MS = 1000;

export interface RedisHealth {
  /**
   * @returns how long the answer took, ms
   * @throws Failure `redis-unreachable`, soon
   */
  check(): Promise<number>;
  /**
   * Whether it also takes what is written: one that is full, or a replica, answers all the same.
   * @throws Failure `redis-unreachable`, `redis-refused`, soon
   */
  checkWrites(): Promise<number>;
  close(): void;
}

/** @param service whose connection it is */
export function redisHealth(redis: string, service: string, log: Logger): RedisHealth {
  const client = connect(redis, `${service}-health`, log);

  function soon(question: () => Promise<unknown>): () => Promise<number> {
    // One question at a time: while nobody answers, others would pile up.
    let asked: Promise<number> | null = null;
    const ask = async (): Promise<number> => {
      const begun = performance.now();
      await question();
      return performance.now() - begun;
    };
    return async () => {
      let timer: NodeJS.Timeout | undefined;
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          const reason = `no answer within ${String(PATIENCE_MS)} ms`;
          // Where it was this process that was busy, the answer lies there by now.
          setImmediate(reject, new Failure('redis-unreachable', { url: redactUrl(redis), reason }));
        }, PATIENCE_MS);
      });
      asked ??= ask().finally(() => (asked = null));
      asked.catch(() => undefined);
      try {
        return await Promise.race([asked, silence]);
      } finally {
        clearTimeout(timer);
      }
    };
  }

  return {
    check: soon(() => callKeyless(client, 'PING')),
    // Changes nothing, and makes no key; refused like any other write.
    checkWrites: soon(() => client.setrange(PREFIX, 0, '')),
    close() {
      client.disconnect();
    },
  };
}
