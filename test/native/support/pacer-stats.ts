/** Statistics of a pacer by name, and waiting for its state. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  PACER_STATE,
  STAT,
  STAT_COUNT,
  type PacerHandle,
} from '../../../services/replayer/src/native/binding.ts';
import { native } from './native.ts';

export type PacerStats = Record<keyof typeof STAT, bigint>;

export function statsOf(handle: PacerHandle): PacerStats {
  const out = new BigInt64Array(STAT_COUNT);
  native.stats(handle, out);
  return Object.fromEntries(Object.entries(STAT).map(([name, place]) => [name, out[place]])) as PacerStats;
}

/** The statistics once `wanted` is true of them; throws after `withinMs`. */
export async function waitFor(
  handle: PacerHandle,
  wanted: (stats: PacerStats) => boolean,
  withinMs = 10_000,
): Promise<PacerStats> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const stats = statsOf(handle);
    if (wanted(stats)) return stats;
    if (performance.now() > deadline) {
      const text = Object.entries(stats).map(([name, value]) => `${name}=${value}`);
      throw new Error(`not reached within ${withinMs} ms: ${text.join(' ')}`);
    }
    await sleep(1);
  }
}

export function waitForState(
  handle: PacerHandle,
  state: keyof typeof PACER_STATE,
  withinMs?: number,
): Promise<PacerStats> {
  return waitFor(handle, (stats) => stats.state === BigInt(PACER_STATE[state]), withinMs);
}
