// The port to the pages that show the queues and their jobs.
import type { FastifyPluginCallback } from 'fastify';

export interface QueueBoard {
  /** The pages, to be served below that path. */
  pages(path: string): FastifyPluginCallback;
  /** Shows the queues of these sensors, too, from now on. */
  show(sensors: Iterable<string>): void;
  close(): Promise<void>;
}
