// Where the thread of a play runs: a worker thread of the agent; or the main thread of a process of its own, for the
// link that goes through the npm package `pcap`, which loads into no other thread and never gives its handles back.
import { fork, type ChildProcess } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { reasonOf } from '@capfleet/shared/errors/failure';
import type { FromPlayThread, PlayData, ToPlayThread } from './play.ts';

export interface PlayHost {
  say(message: ToPlayThread): void;
  /** To be called once, at once. */
  listen(listener: PlayListener): void;
}

interface PlayListener {
  readonly said: (message: FromPlayThread) => void;
  /** The thread failed as a whole, or has ended; of no meaning after its last word. */
  readonly failed: (reason: string, cause?: unknown) => void;
}

const THREAD = new URL('./play-thread.js', import.meta.url);

/** The feed makes little that is thrown away: with room for more, V8 would just take it. */
const resourceLimits = { maxYoungGenerationSizeMb: 8 };

export function startPlayHost(data: PlayData): PlayHost {
  return data.link.kind === 'pcap' ? inProcess(data) : inThread(data);
}

function inThread(workerData: PlayData): PlayHost {
  const thread = new Worker(THREAD, { workerData, resourceLimits });
  return {
    say: (message) => {
      thread.postMessage(message);
    },
    listen: (listener) => {
      listenTo(thread, listener);
    },
  };
}

function inProcess(data: PlayData): PlayHost {
  const child = fork(THREAD, { serialization: 'advanced' });
  // Only a child that is there can be told anything.
  const say = (message: PlayData | ToPlayThread): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  say(data);
  return {
    say,
    listen: (listener) => {
      listenTo(child, listener);
    },
  };
}

function listenTo(thread: Worker | ChildProcess, { said, failed }: PlayListener): void {
  thread.on('message', (message: unknown) => {
    said(message as FromPlayThread);
  });
  thread.on('error', (error: unknown) => {
    failed(reasonOf(error), error);
  });
  thread.on('exit', () => {
    failed('the play thread ended without a word');
  });
}
