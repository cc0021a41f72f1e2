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

export interface Patience {
  /** Without news for so long `quiet` is told. */
  readonly quietMs: number;
  /** A look that takes longer sees nothing: then the watch ends, so that nobody takes an old state for the present one. */
  readonly blindMs: number;
}

/**
 * Ends behind the last sight, when the signal does, or when nothing is to be seen.
 * @throws what `look` throws
 */
export async function* watch(
  look: () => Promise<Sight>,
  { quietMs, blindMs }: Patience,
  signal: AbortSignal,
): AsyncGenerator<News> {
  let told = '';
  let at = performance.now();
  while (!signal.aborted) {
    const sight = await within(blindMs, look(), signal);
    if (sight === null) return;
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

/** Null where it takes longer, or the signal is quicker. */
async function within<T>(ms: number, answer: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const over = new AbortController();
  const late = sleep(ms, null, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => null);
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}
