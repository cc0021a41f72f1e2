// Measures this host's monotonic clock against Redis TIME, the clock that all sensors share.
import { Worker } from 'node:worker_threads';
import type { ClockOffset } from '@capfleet/shared/time/clock-offset';
import type { ReferenceClock } from '../ports/reference-clock.ts';
import type { ClockAnswer, ClockQuestion } from './clock-probe-thread.ts';

const THREAD = new URL('./clock-probe-thread.js', import.meta.url);
const resourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

interface Asker {
  readonly resolve: (measured: ClockOffset) => void;
  readonly reject: (error: Error) => void;
}

export function redisClock(redis: string): ReferenceClock {
  let asking = new Map<number, Asker>();
  let thread: Worker | null = null;
  let questions = 0;

  function start(): Worker {
    const started = new Worker(THREAD, { workerData: redis, resourceLimits });
    const askers = new Map<number, Asker>();
    asking = askers;
    started.unref();
    started.on('message', (answer: ClockAnswer) => {
      const asker = askers.get(answer.id);
      askers.delete(answer.id);
      if ('measured' in answer) asker?.resolve(answer.measured);
      else asker?.reject(new Error(answer.error));
    });
    const fail = (error: Error): void => {
      if (thread === started) thread = null;
      for (const asker of askers.values()) asker.reject(error);
      askers.clear();
    };
    started.on('error', (error: unknown) => {
      fail(error instanceof Error ? error : new Error(String(error)));
    });
    started.on('exit', () => {
      fail(new Error('the thread that measures the clock has ended'));
    });
    return started;
  }

  return {
    measure(probes) {
      thread ??= start();
      const question: ClockQuestion = { id: (questions += 1), probes };
      const answer = new Promise<ClockOffset>((resolve, reject) => {
        asking.set(question.id, { resolve, reject });
      });
      thread.postMessage(question);
      return answer;
    },
    async close() {
      await thread?.terminate();
    },
  };
}
