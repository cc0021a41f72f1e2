// How many map jobs there are, as BullMQ counts them.
import { Queue } from 'bullmq';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import type { Logger } from '@capfleet/shared/log/logger';
import { optionsOf } from '@capfleet/shared/redis/connect';
import type { QueueCounts } from '../ports/queue-counts.ts';

export function mapQueueCounts(redis: string, log: Logger): QueueCounts {
  const queue = new Queue(mapQueue, { connection: optionsOf(redis), prefix: PREFIX });
  queue.on('error', ({ message }) => {
    log.warn({ reason: message }, 'map queue');
  });
  return {
    read: () => queue.getJobCounts('waiting', 'active', 'delayed'),
    close: () => queue.close(),
  };
}
