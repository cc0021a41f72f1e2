// What is watched, as server-sent events (WHATWG HTML, section 9.2). The reader's pace is the writer's: what comes next is
// made when there is room for it.
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { watch, type News, type Sight } from '../usecases/watch.ts';

const RECONNECT_MS = 1000;
/** Who follows takes a connection that is silent for longer as broken. */
const QUIET_MS = 15_000;
/** Who asks again is told what is amiss. */
const BLIND_MS = 5000;

/** For the OpenAPI document. */
export const eventsSchema = {
  description: 'Events until the last one',
  content: { 'text/event-stream': { schema: z.string() } },
};

export function sendEvents(
  reply: FastifyReply,
  look: () => Promise<Sight>,
  closing: AbortSignal,
): FastifyReply {
  reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no');
  const frames = framesOf(watch(look, { quietMs: QUIET_MS, blindMs: BLIND_MS }, closing));
  return reply.send(Readable.from(frames, { objectMode: false, highWaterMark: 1 }));
}

async function* framesOf(news: AsyncIterable<News>): AsyncGenerator<string> {
  yield `retry: ${String(RECONNECT_MS)}\n\n`;
  for await (const each of news) {
    if (each === 'quiet') yield ': still there\n\n';
    else yield `event: ${each.event}\ndata: ${JSON.stringify(each.data)}\n\n`;
  }
}
