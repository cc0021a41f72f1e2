// What coordinator and agents say to each other about a run. Every message has a version and is checked on
// arrival; one that does not fit is logged and passed over, because anybody may write to a shared Redis.
import { z } from 'zod';
import { failureSchema } from '../dataset/file-map.ts';
import { sensorNameSchema, sensorPlanSchema } from '../dataset/replay-plan.ts';
import { referenceClocks, systemClockSchema } from './reference-clock.ts';
import { clockFactsSchema, latenessSchema, playResultSchema } from './report.ts';

export const MESSAGE_VERSION = 1;
/** An agent renews its registration this often … */
export const HEARTBEAT_MS = 1000;
/** … and counts as gone when it has not for this long. */
export const HEARTBEAT_EXPIRES_MS = 5000;

/** A coordinator renews its hold of a run this often … */
export const RUN_RENEWAL_MS = 1000;
/** … and has lost it when it did not for this long. */
export const RUN_HOLD_MS = 5000;

const count = z.int().nonnegative();
const nanos = z.string().regex(/^-?\d{1,25}$/);
export const runIdSchema = z.string().regex(/^[\w-]{1,64}$/);

/** Also a path (4,096 bytes); all of them are held, and shown, by whoever looks at the sensors. */
const word = z.string().max(5000);

export const registrationSchema = z.object({
  v: z.literal(MESSAGE_VERSION),
  sensor: sensorNameSchema,
  /** Differs for each start of an agent. */
  instance: word.min(1),
  /** What one agent at a time holds until it is gone: two with the same one never play at once. */
  place: word,
  version: word,
  host: word,
  interface: word,
  link: z.enum(['af_packet', 'af_xdp', 'pcap', 'null', 'file']),
  /** MTU in bytes; null where the link has none. */
  mtu: count.nullable(),
  up: z.boolean(),
  clock: clockFactsSchema.nullable(),
  systemClock: systemClockSchema.nullable(),
  busyWith: runIdSchema.nullable(),
});

/** The job on a sensor's queue. */
export const prepareJobSchema = z.strictObject({
  v: z.literal(MESSAGE_VERSION),
  run: runIdSchema,
  /** Counts the coordinator's attempts at one run; an agent follows only the newest it has seen. */
  epoch: count,
  /** Instant on the Redis clock after which the plan is void unless a start was committed. */
  validUntil: nanos,
  /** The start that was asked for, on whichever clock the start will be; null: before `validUntil`. */
  startAt: nanos.nullable(),
  /** The run's start where it has passed: the sensor joins at the current place. */
  startedAt: z.object({ start: nanos, clock: z.enum(referenceClocks) }).nullable(),
  /** Without a coordinator for so long the sensor stops by itself, ms; null: it plays on. */
  orphanTimeoutMs: count.nullable(),
  plan: sensorPlanSchema,
});

/** Whose a job is that does not fit otherwise, one of another version say. */
export const jobAddressSchema = z.object({ run: runIdSchema, epoch: count });

/** Coordinator → all sensors of a run. */
export const toSensorsSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('commit'),
    epoch: count,
    /** The reference clock of this start. */
    clock: z.enum(referenceClocks),
    /** T0 on that clock, ns since the epoch. */
    start: nanos,
  }),
  /** Everybody has acknowledged: the committed start holds. Who does not hear it stays out. */
  z.object({ type: z.literal('confirm'), epoch: count }),
  z.object({ type: z.literal('cancel'), epoch: count, reason: z.string() }),
  z.object({ type: z.literal('stop') }),
]);

const progressSchema = z.object({
  type: z.literal('progress'),
  sensor: sensorNameSchema,
  epoch: count,
  sent: count,
  sentBytes: count,
  refused: count,
  /** Position on the timeline, ns after T0. */
  position: nanos,
  loops: count,
  /** As in the report, of what is sent so far; null where nothing is, or is due at any time. */
  lateness: latenessSchema.nullable(),
});

/** Sensor → coordinator. */
export const fromSensorSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    sensor: sensorNameSchema,
    epoch: count,
    interface: z.string(),
    link: z.string(),
    /** As in its registration: who takes the run over knows from it which agent had the plan. */
    place: z.string(),
    clock: clockFactsSchema,
  }),
  z.object({ type: z.literal('refused'), sensor: sensorNameSchema, epoch: count, error: failureSchema }),
  z.object({ type: z.literal('acknowledged'), sensor: sensorNameSchema, epoch: count }),
  progressSchema,
  z.object({ type: z.literal('report'), sensor: sensorNameSchema, epoch: count, result: playResultSchema }),
]);

export type Registration = z.infer<typeof registrationSchema>;
export type PrepareJob = z.infer<typeof prepareJobSchema>;
export type ToSensors = z.infer<typeof toSensorsSchema>;
export type FromSensor = z.infer<typeof fromSensorSchema>;
export type SensorProgress = z.infer<typeof progressSchema>;
