// The other end of play-host: how the thread of a play gets its data and talks to the agent, whether it is a worker
// thread or a process of its own. Such a process ends with its agent, and leaves the ends of both to it: a Ctrl-C that
// the terminal sends to all is the agent's to answer.
import { parentPort, workerData } from 'node:worker_threads';
import type { FromPlayThread, PlayData, ToPlayThread } from './play.ts';

export interface PlayPort {
  readonly data: PlayData;
  say(message: FromPlayThread): void;
  /** To be called once; words that came before are not lost. */
  listen(listener: (message: ToPlayThread) => void): void;
  close(): void;
}

export async function openPlayPort(): Promise<PlayPort> {
  return parentPort ? threadPort(parentPort) : processPort();
}

function threadPort(port: NonNullable<typeof parentPort>): PlayPort {
  return {
    data: workerData as PlayData,
    say: (message) => {
      port.postMessage(message);
    },
    listen: (listener) => {
      port.on('message', listener);
    },
    close: () => {
      port.close();
    },
  };
}

async function processPort(): Promise<PlayPort> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit());
  const early: ToPlayThread[] = [];
  let hear = (message: ToPlayThread): void => {
    early.push(message);
  };
  let unsent = 0;
  let closed = false;
  const endWhenSaid = (): void => {
    if (closed && unsent === 0) process.exit();
  };
  const data = await new Promise<PlayData>((resolve) => {
    process.once('message', (first: PlayData) => {
      process.on('message', (message: ToPlayThread) => {
        hear(message);
      });
      resolve(first);
    });
  });
  return {
    data,
    say: (message) => {
      unsent += 1;
      process.send?.(message, undefined, undefined, () => {
        unsent -= 1;
        endWhenSaid();
      });
    },
    listen: (listener) => {
      hear = listener;
      early.forEach(listener);
    },
    close: () => {
      closed = true;
      endWhenSaid();
    },
  };
}
