// What is kept of a run from its beginning on, so that another coordinator can carry it through.
import { z } from 'zod';
import { sensorNameSchema } from '../dataset/replay-plan.ts';
import { isCalendarInstant } from '../time/nanos.ts';
import { clockWishes } from './reference-clock.ts';
import { MESSAGE_VERSION, runIdSchema } from './agent-messages.ts';

const count = z.int().nonnegative();
const nanos = z.string().regex(/^-?\d{1,25}$/);

/** Durations in ms, or in ns where they are text; instants in ns on the reference clock. */
export const runRecordSchema = z.object({
  v: z.literal(MESSAGE_VERSION),
  run: runIdSchema,
  /** It is listed with it. */
  created: nanos.refine((text) => isCalendarInstant(BigInt(text)), 'out of the range of RFC 3339'),
  /** In the order in which they are reported. */
  sensors: z.array(sensorNameSchema).min(1),
  lead: nanos,
  startAt: nanos.nullable(),
  clock: z.enum(clockWishes),
  maxClockBound: nanos,
  prepareTimeoutMs: count,
  /** How long sensors that are not registered yet are waited for. */
  sensorTimeoutMs: count,
  /** A sensor that another run has: that one's end is waited for, or this one is refused. */
  whenBusy: z.enum(['wait', 'refuse']),
  /** When the plans are void; null: none was handed out yet. */
  validUntil: nanos.nullable(),
  orphanTimeoutMs: count.nullable(),
  /** A sensor that is lost while it plays may come back for so long; null: it stays out. */
  rejoinMs: count.nullable(),
});

export type RunRecord = z.infer<typeof runRecordSchema>;
