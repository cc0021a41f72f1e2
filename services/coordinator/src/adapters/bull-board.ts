// Bull Board over the map queue and the queues of the sensors: to look at, not to change anything.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue } from 'bullmq';
import { mapQueue, PREFIX, sensorQueue } from '@capfleet/shared/contract/keys';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import type { QueueBoard } from '../ports/queue-board.ts';

/** Queues that are there from the past are forgotten beyond so many. */
const MOST_QUEUES = 500;

export function bullBoard(redis: string, log: Logger): QueueBoard {
  const queues = new Map<string, Queue>();
  const client = connect(redis, 'coordinator-board', log);
  const adapter = new FastifyAdapter();
  const adapted = (name: string): BullMQAdapter => {
    const queue = new Queue(name, { connection: client, prefix: PREFIX });
    queue.on('error', ({ message }) => {
      log.warn({ reason: message, queue: name }, 'queue board');
    });
    queues.set(name, queue);
    return new BullMQAdapter(queue, { readOnlyMode: true });
  };
  const board = createBullBoard({
    queues: [adapted(mapQueue)],
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'Capfleet queues',
        hideRedisDetails: true,
        miscLinks: [{ text: 'Capfleet', url: '/' }],
      },
    },
  });
  return {
    pages(path) {
      adapter.setBasePath(path);
      return adapter.registerPlugin();
    },
    show(sensors) {
      for (const sensor of sensors) {
        const name = sensorQueue(sensor);
        if (!queues.has(name) && queues.size < MOST_QUEUES) board.addQueue(adapted(name));
      }
    },
    async close() {
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      client.disconnect();
    },
  };
}
