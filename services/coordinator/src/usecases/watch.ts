// Something that changes, as it is watched from elsewhere: its present state at once, then each change of it, its end last.
// What is told is always the whole, and nothing is kept for a reader who is slow: such a one misses some of the states.
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 250;

export interface Sight {
  readonly event: string;
  readonly data: object;
  /** Nothing comes behind it. */
  readonly isLast: boolean;
}

/** `quiet`: nothing has changed; told so that the reader can tell it from a dead connection. */
export type News = Sight | 'quiet';

/**
 * Ends behind the last sight, or when the signal does.
 * @throws what `look` throws
 */
export async function* watch(
  look: () => Promise<Sight>,
  quietMs: number,
  signal: AbortSignal,
): AsyncGenerator<News> {
  let told = '';
  let at = performance.now();
  while (!signal.aborted) {
    const sight = await look();
    const text = JSON.stringify(sight);
    const isNews = text !== told;
    if (isNews || performance.now() - at >= quietMs) {
      told = text;
      at = performance.now();
      yield isNews ? sight : 'quiet';
    }
    if (sight.isLast) return;
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
