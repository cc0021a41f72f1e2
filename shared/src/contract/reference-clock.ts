// The clocks that a run's start may be on, and what a sensor says of its own.
import { z } from 'zod';
import { MICROSECOND, type Nanos } from '../time/nanos.ts';

const nanos = z.string().regex(/^-?\d{1,25}$/);

/** Redis TIME, which every sensor measures; the sensors' own wall clocks, where they are one clock. */
export const referenceClocks = ['redis', 'system'] as const;
export type ReferenceName = (typeof referenceClocks)[number];

/** What may be asked for. */
export const clockWishes = ['auto', ...referenceClocks] as const;
export type ClockWish = (typeof clockWishes)[number];

export const systemClockSchema = z.object({
  /** CLOCK_REALTIME = CLOCK_MONOTONIC + offset, read to ± readBound. */
  offset: nanos,
  readBound: nanos,
  /** What the kernel says of it (adjtimex): whether anything disciplines it, its largest error in µs, TAI − UTC in s. */
  synchronised: z.boolean(),
  maxErrorUs: z.int().nonnegative(),
  taiOffset: z.int(),
});
export type SystemClockFacts = z.infer<typeof systemClockSchema>;

/** How far from UTC it may be, by its kernel's word, ns. */
export function claimedBound({ maxErrorUs, readBound }: SystemClockFacts): Nanos {
  return BigInt(maxErrorUs) * MICROSECOND + BigInt(readBound);
}
