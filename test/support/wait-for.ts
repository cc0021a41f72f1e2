/**
 * Waits in a test until something is so, by looking again and again until a deadline. For what has no event to
 * wait for; never for a time to pass. Deadlines run on the monotonic clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Milliseconds until it is given up; 20,000 when left out. */
  timeout?: number;
  /** Milliseconds between two looks; 10 when left out. */
  every?: number;
}

type Answer<T> = T | undefined | null | false;

/**
 * Resolves with the first answer of `look` that is not undefined, null or false. At the deadline it throws an error
 * that names `what`, with the last error of `look` as its cause, if there was one.
 */
export async function waitFor<T>(
  what: string,
  look: () => Answer<T> | Promise<Answer<T>>,
  { timeout = 20_000, every = 10 }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    let cause: unknown;
    try {
      const answer = await look();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeout} ms in vain: ${what}`, cause === undefined ? {} : { cause });
    }
    await sleep(every);
  }
}
