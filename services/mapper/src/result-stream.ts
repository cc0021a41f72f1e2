// The way back to who asked: a stream per request, which lives a day beyond the last answer.
import { mapResultsKey, RUN_KEYS_TTL_SECONDS } from '@capfleet/shared/contract/keys';
import type { MapAnswer } from '@capfleet/shared/contract/map-job';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect, redactUrl } from '@capfleet/shared/redis/connect';

export interface ResultStream {
  /** Resolves when Redis has it. */
  put(request: string, answer: MapAnswer): Promise<void>;
  close(): void;
}

export function resultStream(redis: string, log: Logger): ResultStream {
  const client = connect(redis, 'mapper-results', log);
  return {
    async put(request, answer) {
      const key = mapResultsKey(request);
      const entry = client.pipeline().xadd(key, '*', 'answer', JSON.stringify(answer));
      const replies = await entry.expire(key, RUN_KEYS_TTL_SECONDS).exec();
      const failure = replies?.find(([error]) => error !== null)?.[0];
      if (failure)
        throw new Failure(
          'redis-unreachable',
          { url: redactUrl(redis), reason: failure.message },
          { cause: failure },
        );
    },
    close() {
      client.disconnect();
    },
  };
}
