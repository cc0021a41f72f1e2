// How far a sensor's wall clock is from Redis', by its one measurement of both: the one place that says with which sign, and
// how well that is known. Without imports, so that the page can have it, too.

/** Of a sensor's clock facts, ns. */
export interface MeasuredClocks {
  /** Redis TIME = CLOCK_MONOTONIC + offset, ± bound. */
  readonly offset: string;
  readonly bound: string;
  /** CLOCK_REALTIME = CLOCK_MONOTONIC + offset, ± readBound. */
  readonly system: { readonly offset: string; readonly readBound: string };
}

/** Redis' clock less the wall clock, ns: above zero where the wall clock is behind. */
export function behindRedis({ offset, bound, system }: MeasuredClocks): {
  readonly behind: bigint;
  readonly bound: bigint;
} {
  return {
    behind: BigInt(offset) - BigInt(system.offset),
    bound: BigInt(bound) + BigInt(system.readBound),
  };
}
