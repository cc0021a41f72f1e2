// Where the thread of a play runs: a worker thread of the agent; or the main thread of a process of its own, for the
// link that goes through the npm package `pcap`, which loads into no other thread and never gives its handles back. What
// is said is play.ts's business.
import { fork, type ChildProcess, type Serializable } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { reasonOf } from '@capfleet/shared/errors/failure';
import type { LinkChoice } from './link.ts';

export interface PlayHost {
  say(message: unknown): void;
  /** To be called once, at once. */
  listen(listener: PlayListener): void;
  /** Ends it where it stands, whatever it waits for. `failed` tells when it is gone, and its link with it. */
  readonly end: () => void;
}

interface PlayListener {
  readonly said: (message: unknown) => void;
  /** The thread failed as a whole, or has ended; of no meaning after its last word. */
  readonly failed: (reason: string, cause?: unknown) => void;
}

const THREAD = new URL('./play-thread.js', import.meta.url);

/** The feed makes little that is thrown away: with room for more, V8 would just take it. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };

export function startPlayHost(data: { readonly link: LinkChoice }): PlayHost {
  return data.link.kind === 'pcap' ? inProcess(data) : inThread(data);
}

function inThread(workerData: unknown): PlayHost {
  const thread = new Worker(THREAD, { workerData, resourceLimits });
  return {
    say: (message) => {
      thread.postMessage(message);
    },
    listen: (listener) => {
      listenTo(thread, listener);
    },
    end: () => {
      void thread.terminate();
    },
  };
}

function inProcess(data: object): PlayHost {
  const child = fork(THREAD, { serialization: 'advanced' });
  // Only a child that is there can be told anything.
  const say = (message: unknown): void => {
    if (child.connected) child.send(message as Serializable, () => undefined);
  };
  say(data);
  return {
    say,
    listen: (listener) => {
      listenTo(child, listener);
    },
    end: () => {
      child.kill('SIGKILL');
    },
  };
}

function listenTo(thread: Worker | ChildProcess, { said, failed }: PlayListener): void {
  thread.on('message', said);
  thread.on('error', (error: unknown) => {
    failed(reasonOf(error), error);
  });
  thread.on('exit', () => {
    failed('the play thread ended without a word');
  });
}
