// The way back to who asked: a stream per request, which lives a day beyond the last answer.
import { mapResultsKey, RUN_KEYS_TTL_SECONDS } from '@capfleet/shared/contract/keys';
import type { MapAnswer } from '@capfleet/shared/contract/map-job';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';

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
      const adding = client.xadd(key, '*', 'answer', JSON.stringify(answer));
      await Promise.all([adding, client.expire(key, RUN_KEYS_TTL_SECONDS)]);
    },
    close() {
      client.disconnect();
    },
  };
}
