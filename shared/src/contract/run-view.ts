// What is to be seen of a run while it is carried through: always the whole of it, so that who misses one misses
// nothing; and in one word what became of it.
import { z } from 'zod';
import { failureSchema } from '../dataset/file-map.ts';
import { sensorNameSchema } from '../dataset/replay-plan.ts';
import { runIdSchema } from './agent-messages.ts';
import { referenceClocks } from './reference-clock.ts';
import { latenessSchema, runReportSchema, type RunReport } from './report.ts';

const count = z.int().nonnegative();

const runPhases = [
  /** For its sensors to register, or to be free. */
  'waiting',
  'preparing',
  'committing',
  'armed',
  'playing',
  'stopping',
  'ended',
] as const;

const sensorViewSchema = z.object({
  sensor: sensorNameSchema,
  ready: z.boolean(),
  /** Lost, and may come back. */
  away: z.boolean(),
  progress: z
    .object({
      sent: count,
      sentBytes: count,
      refused: count,
      /** On the timeline, ns after the start. */
      position: z.string().regex(/^-?\d{1,25}$/),
      loops: count,
      /** As in the report, of what is sent so far; null where nothing is, or is due at any time. */
      lateness: latenessSchema.nullable(),
    })
    .nullable(),
  /** Null while it is not over for this sensor. */
  outcome: z.enum(['done', 'stopped', 'failed']).nullable(),
  error: failureSchema.nullable(),
});

export const runViewSchema = z.object({
  run: runIdSchema,
  phase: z.enum(runPhases),
  /** RFC 3339 on the reference clock; null until it is decided. */
  start: z.string().nullable(),
  clock: z.enum(referenceClocks).nullable(),
  stopAsked: z.boolean(),
  sensors: z.array(sensorViewSchema),
});

export const runOutcomeSchema = z.object({
  outcome: runReportSchema.shape.outcome,
  /** Whether the report's verdict does. */
  holds: z.boolean(),
});

export type RunView = z.infer<typeof runViewSchema>;
export type RunOutcome = z.infer<typeof runOutcomeSchema>;

export function outcomeOf({ outcome, verdict }: RunReport): RunOutcome {
  return { outcome, holds: verdict.holds };
}

/** Of a run that no coordinator has taken up yet. */
export function unseenView(run: string, sensors: readonly string[]): RunView {
  return {
    run,
    phase: 'waiting',
    start: null,
    clock: null,
    stopAsked: false,
    sensors: sensors.map((sensor) => ({
      sensor,
      ready: false,
      away: false,
      progress: null,
      outcome: null,
      error: null,
    })),
  };
}
