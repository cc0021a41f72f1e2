// How many map jobs there are, as BullMQ counts them.
import { Queue } from 'bullmq';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import type { QueueCounts } from '../ports/queue-counts.ts';

export function mapQueueCounts(redis: string, log: Logger): QueueCounts {
  const client = connect(redis, 'coordinator-queue', log);
  const queue = new Queue(mapQueue, { connection: client, prefix: PREFIX });
  queue.on('error', ({ message }) => {
    log.warn({ reason: message }, 'map queue');
  });
  return {
    read: () => queue.getJobCounts('waiting', 'active', 'delayed'),
    async close() {
      await queue.close();
      client.disconnect();
    },
  };
}
