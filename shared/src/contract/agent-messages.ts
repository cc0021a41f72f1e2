// What coordinator and agents say to each other about a run. Every message has a version and is checked on
// arrival; one that does not fit is logged and passed over, because anybody may write to a shared Redis.
import { z } from 'zod';
import { failureSchema } from '../dataset/file-map.ts';
import { sensorNameSchema, sensorPlanSchema } from '../dataset/replay-plan.ts';
import { clockFactsSchema, playResultSchema } from './report.ts';

export const MESSAGE_VERSION = 1;
/** An agent renews its registration this often … */
export const HEARTBEAT_MS = 1000;
/** … and counts as gone when it has not for this long. */
export const HEARTBEAT_EXPIRES_MS = 5000;

const count = z.int().nonnegative();
const nanos = z.string().regex(/^-?\d{1,25}$/);
const runId = z.string().regex(/^[\w-]{1,64}$/);

export const registrationSchema = z.object({
  v: z.literal(MESSAGE_VERSION),
  sensor: sensorNameSchema,
  /** Differs for each start of an agent. */
  instance: z.string().min(1),
  version: z.string(),
  host: z.string(),
  interface: z.string(),
  link: z.enum(['af_packet', 'af_xdp', 'pcap', 'null', 'file']),
  /** MTU in bytes; null where the link has none. */
  mtu: count.nullable(),
  up: z.boolean(),
  clock: clockFactsSchema.nullable(),
  /** State of the system clock (adjtimex): synchronised, its largest error in µs, TAI − UTC in s. */
  systemClock: z.object({ synchronised: z.boolean(), maxErrorUs: z.int(), taiOffset: z.int() }).nullable(),
  busyWith: runId.nullable(),
});

/** The job on a sensor's queue. */
export const prepareJobSchema = z.strictObject({
  v: z.literal(MESSAGE_VERSION),
  run: runId,
  /** Counts the coordinator's attempts at one run; an agent follows only the newest it has seen. */
  epoch: count,
  /** Instant on the reference clock after which the plan is void unless a start was committed. */
  validUntil: nanos,
  plan: sensorPlanSchema,
});

/** Whose a job is that does not fit otherwise, one of another version say. */
export const jobAddressSchema = z.object({ run: runId, epoch: count });

/** Coordinator → all sensors of a run. */
export const toSensorsSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('commit'),
    epoch: count,
    /** T0 on the reference clock, ns since the epoch. */
    start: nanos,
  }),
  z.object({ type: z.literal('cancel'), epoch: count, reason: z.string() }),
  z.object({ type: z.literal('stop'), epoch: count }),
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
});

/** Sensor → coordinator. */
export const fromSensorSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    sensor: sensorNameSchema,
    epoch: count,
    interface: z.string(),
    link: z.string(),
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
