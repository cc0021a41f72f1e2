// News of a run as server-sent events (WHATWG HTML, section 9.2). The reader's pace is the writer's: what comes next is
// made when there is room for it.
import { Readable } from 'node:stream';
import type { RunNews } from '../usecases/watch-run.ts';

const RECONNECT_MS = 1000;
export const QUIET_MS = 15_000;

export function eventStream(news: AsyncIterable<RunNews>): Readable {
  return Readable.from(frames(news), { objectMode: false, highWaterMark: 1 });
}

async function* frames(news: AsyncIterable<RunNews>): AsyncGenerator<string> {
  yield `retry: ${String(RECONNECT_MS)}\n\n`;
  for await (const each of news) {
    if (each.type === 'state') yield frame('state', each.view);
    else if (each.type === 'report') yield frame('report', each.report);
    else yield ': still there\n\n';
  }
}

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
