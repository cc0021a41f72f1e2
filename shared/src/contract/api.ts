// What the coordinator's HTTP API takes and answers: the one source of its checks, its answers and its OpenAPI document,
// and what its clients check answers with. Durations are text such as 250ms, 30s or 1h30m, instants RFC 3339.
import { z } from 'zod';
import { failureSchema, pathSchema } from '../dataset/file-map.ts';
import { flowShareSchema } from '../flow/flow-share.ts';
import { editPlanSchema, noEdits } from '../edit/edit-plan.ts';
import { planDocumentSchema } from '../dataset/plan-file.ts';
import { paceSchema, sensorNameSchema, sensorPlanSchema } from '../dataset/replay-plan.ts';
import { ONE, parseRational, type Rational } from '../time/rational.ts';
import { parseDuration, parseInstant, SECOND, type Nanos } from '../time/nanos.ts';
import { registrationSchema, runIdSchema } from './agent-messages.ts';
import { mapRecordSchema, mapStateSchema } from './map-record.ts';
import { clockWishes } from './reference-clock.ts';
import { runViewSchema } from './run-view.ts';
import { pathPattern, type PathPattern } from '../source/path-pattern.ts';
import { reasonOf } from '../errors/failure.ts';

const count = z.int().nonnegative();

/** So that a cancel still reaches every sensor. */
export const SHORTEST_LEAD: Nanos = 500_000_000n;
/** A coordinator is heard of once a second. */
export const SHORTEST_ORPHAN_TIMEOUT: Nanos = 2_000_000_000n;
/** A hundred years: an instant so far from now still fits into 64 bits of nanoseconds. */
const LONGEST_SPAN = 36_500n * 86_400n * SECOND;
/** Of what is kept for a while only. */
const LONGEST_WHILE = 7n * 86_400n * SECOND;

function span(shortest: Nanos, example: string, longest = LONGEST_SPAN) {
  return z
    .string()
    .max(64)
    .transform((text, context): Nanos => {
      const parsed = parseDuration(text);
      if (parsed !== null && parsed >= shortest && parsed <= longest) return parsed;
      const known = parsed === null ? 'no duration such as 250ms, 30s or 1h30m' : 'too short or too long';
      context.addIssue({ code: 'custom', message: `"${text}" is ${known}` });
      return z.NEVER;
    })
    .meta({ example });
}

const instant = z
  .string()
  .max(64)
  .transform((text, context): Nanos => {
    const parsed = parseInstant(text);
    if (parsed !== null) return parsed;
    context.addIssue({ code: 'custom', message: `"${text}" is no time such as 2026-11-24T09:00:00Z` });
    return z.NEVER;
  })
  .meta({ example: '2026-11-24T09:00:00Z' });

/** How a run is started and kept together; each has the default of `capfleet replay`. */
export const runSettingsSchema = z.strictObject({
  lead: span(SHORTEST_LEAD, '1s').prefault('1s').describe('from the commit to the start'),
  startAt: instant
    .nullable()
    .default(null)
    .describe('on the reference clock; null: as soon as all are ready'),
  clock: z.enum(clockWishes).default('auto').describe('the reference clock'),
  maxClockBound: span(1n, '5ms').prefault('5ms').describe('worst clock a sensor may have'),
  sensorTimeout: span(1n, '10s').prefault('10s').describe('how long to wait for sensors to register'),
  prepareTimeout: span(1n, '60s').prefault('60s').describe('how long sensors may prepare'),
  whenBusy: z
    .enum(['wait', 'refuse'])
    .default('refuse')
    .describe("a sensor that another run has: that one's end is waited for, or the run is refused"),
  orphanTimeout: span(SHORTEST_ORPHAN_TIMEOUT, '1m')
    .nullable()
    .default(null)
    .describe('sensors stop when no coordinator was there for so long; null: they play on'),
  rejoin: span(1n, '60s')
    .nullable()
    .default(null)
    .describe('a sensor that is lost may come back within this time; null: it stays out'),
});

export const documentNameSchema = z
  .string()
  .regex(/^\w[\w.-]{0,63}$/, 'no name of letters, digits, ".", "_", "-"');

export const runRequestSchema = z.strictObject({
  run: runIdSchema
    .exactOptional()
    .describe(
      'its id, a UUID of your own, so that the request can be repeated safely; left out: one is chosen',
    ),
  plan: z
    .union([documentNameSchema, planDocumentSchema])
    .describe('the name of a plan that is kept, or a plan'),
  settings: runSettingsSchema.prefault({}),
});

const ratio = z
  .string()
  .max(64)
  .transform((text, context): Rational => {
    const parsed = parseRational(text);
    if (parsed) return parsed;
    context.addIssue({ code: 'custom', message: `"${text}" is no positive ratio such as 2, 0.37 or 1/3` });
    return z.NEVER;
  })
  .meta({ example: '2' });

const pattern = z
  .string()
  .max(1024)
  .transform((text, context): PathPattern => {
    try {
      return pathPattern(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: reasonOf(error) });
      return z.NEVER;
    }
  });

const assignmentSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.enum(['lane', 'folder', 'size']) }),
  z.strictObject({ by: z.literal('flow'), tunnels: flowShareSchema.shape.tunnels.default('inner') }),
  z.strictObject({
    by: z.literal('pattern'),
    patterns: z.array(z.strictObject({ sensor: sensorNameSchema, pattern })).min(1),
  }),
]);

const policies = sensorPlanSchema.shape.policies.shape;

/** What of a set is played, how, and by whom; each has the default of `capfleet replay`. */
const replayRequestSchema = z
  .strictObject({
    sensors: z.array(sensorNameSchema).min(1),
    rule: assignmentSchema.default({ by: 'lane' }),
    speed: z
      .union([ratio, z.strictObject({ duration: span(1n, '1h') })])
      .default(ONE)
      .describe('a ratio, or the time that one pass shall take'),
    loops: z.int().nonnegative().default(1).describe('0 is without end'),
    window: z
      .strictObject({ from: instant.nullable().default(null), to: instant.nullable().default(null) })
      .prefault({}),
    pace: paceSchema.default({ kind: 'original' }),
    loopDelay: span(0n, '0s').prefault('0s'),
    maxGap: span(1n, '10s').nullable().default(null),
    limit: z.int().positive().nullable().default(null),
    duration: span(1n, '10m').nullable().default(null),
    edits: editPlanSchema.default(noEdits),
    policies: z
      .strictObject({
        allowDefaultRouteInterface: policies.allowDefaultRouteInterface.default(false),
        backwards: policies.backwards.default('send'),
        reorder: policies.reorder.default(null),
        oversize: policies.oversize.default('fail'),
        preload: policies.preload.default(null),
        mtu: policies.mtu.default(null),
      })
      .prefault({}),
  })
  .refine(({ sensors }) => new Set(sensors).size === sensors.length, {
    path: ['sensors'],
    error: 'a sensor is named twice',
  })
  .refine(({ maxGap, sensors, rule }) => maxGap === null || sensors.length === 1 || rule.by === 'flow', {
    path: ['maxGap'],
    error: 'not with more than one sensor, which would lose their common time; but by flow',
  });

export const planRequestSchema = z.strictObject({
  plan: documentNameSchema.describe('the name that the plan gets'),
  set: documentNameSchema.describe('the name of a set that is kept'),
  request: replayRequestSchema,
  keepFor: span(SECOND, '1h', LONGEST_WHILE)
    .nullable()
    .default(null)
    .describe(
      'from 1s to 7 days: then it is forgotten, and until then it is not listed; null: it is kept until it is deleted',
    ),
});

/** What a plan comes to, of the same size for any set. */
export const planSummarySchema = z.object({
  plan: documentNameSchema,
  set: z.string(),
  loops: count,
  length: z
    .string()
    .describe(
      'from the start to the last packet, ns; of one pass, where loops are without end; 0 where it is not known',
    ),
  byFlow: z.boolean().describe('each sensor reads all files, and sends its share of their packets'),
  sensors: z.array(z.object({ sensor: sensorNameSchema, files: count, packets: count })),
});
export const planAnswerSchema = z.strictObject({ answer: z.enum(['plan', 'summary']).default('plan') });

export const planInfoSchema = z.object({
  plan: documentNameSchema,
  set: z.string(),
  sensors: z.array(z.string()),
  /** RFC 3339. */
  kept: z.string(),
});
export const planListSchema = z.object({ plans: z.array(planInfoSchema) });

export const mapRequestSchema = z.strictObject({
  set: documentNameSchema.describe('the name of the set that it becomes'),
  source: pathSchema
    .regex(/^(\/|s3:\/\/)/, 'no absolute path, and no s3://…')
    .describe('folder, file or s3://BUCKET/PREFIX'),
  suffix: z.string().max(256).default('pcap.gz').describe('only files with this ending; "" takes all'),
  pattern: pattern.nullable().default(null).describe('only files whose path matches'),
  quick: z.boolean().default(false).describe('estimate uncompressed captures from their two ends'),
  splitSize: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('map larger ones in parts of so many bytes'),
  workerTimeout: span(1n, '60s').prefault('60s').describe('how long to wait for a first mapper'),
});
export const mapDetailSchema = z.object({ record: mapRecordSchema, state: mapStateSchema });
export const mapListSchema = z.object({ maps: z.array(mapDetailSchema) });

export const setInfoSchema = z.object({
  set: documentNameSchema,
  /** With packets. */
  files: z.int().nonnegative(),
  packets: z.int().nonnegative(),
  /** Of the earliest and the latest packet, RFC 3339; null where there is none. */
  beginning: z.string().nullable(),
  end: z.string().nullable(),
  /** RFC 3339. */
  kept: z.string(),
});
export const setListSchema = z.object({ sets: z.array(setInfoSchema) });

/** Of the finest picture of a set's time line; it is made coarser by whole factors. */
export const TIMELINE_BUCKETS = 960;
/** Lanes that are told of one by one; what is beyond them is summed up. */
export const MOST_TIMELINE_LANES = 48;

const laneSchema = z.object({
  /** Null: several, summed up. */
  lane: count.nullable(),
  files: count,
  packets: count,
  capturedBytes: count,
  wireBytes: count,
  /** Files with packets that have an earlier stamp than the packet before them. */
  outOfOrderFiles: count,
  beginning: z.string(),
  end: z.string(),
  packetsOver: z.array(count).describe('packets in each bucket, those of a file spread evenly over its time'),
  writtenOver: z.array(z.number()).describe('share of each bucket in which it wrote, 0 to 1'),
  /** Between its files, longer than a second. */
  pauses: count,
  longestPauses: z.array(z.object({ from: z.string(), to: z.string(), length: z.string() })),
});

export const setTimelineSchema = z.object({
  set: documentNameSchema,
  kept: z.string(),
  beginning: z.string().nullable(),
  end: z.string().nullable(),
  /** All that were inferred. */
  laneCount: count,
  bucket: z.number().nonnegative().describe('width of a bucket, ns'),
  packets: z.array(count).describe('packets of the whole set in each bucket'),
  shown: z.array(laneSchema),
  others: laneSchema.nullable().describe('the lanes that are not shown one by one, summed up'),
  overlaps: z.array(z.object({ lanes: count, time: z.string() })).describe('ns in which so many lanes wrote'),
});
export const timelineQuerySchema = z.strictObject({
  lanes: z.coerce.number().int().min(1).max(MOST_TIMELINE_LANES).default(24),
  buckets: z.coerce.number().int().min(1).max(TIMELINE_BUCKETS).default(480),
});

/** Of the planned rate of a run. */
export const PLANNED_BUCKETS = 240;

export const plannedRateSchema = z.object({
  bucket: z.number().nonnegative().describe('width of a bucket, ns; the first begins at the start'),
  estimated: z.boolean().describe('of a set that is shared by flow, or filtered: before that is done'),
  sensors: z.array(z.object({ sensor: sensorNameSchema, packetsOver: z.array(count) })),
});
/** How far each sensor was at which place of the timeline (ns after the start): packets sent by then. */
export const courseSchema = z.array(
  z.object({ sensor: z.string(), points: z.array(z.tuple([z.number(), count])) }),
);
export const runCourseSchema = z.object({
  run: runIdSchema,
  planned: plannedRateSchema.nullable().describe('null where packets are not due by their stamps alone'),
  sensors: courseSchema,
});

export const runCreatedSchema = z.object({ run: runIdSchema });

export const runSummarySchema = z.object({
  run: runIdSchema,
  /** RFC 3339, by the Redis clock. */
  created: z.string(),
  sensors: z.array(z.string()),
  /** `orphaned`: no coordinator carries it through at present. */
  state: z.enum(['under way', 'orphaned', 'done', 'stopped', 'cancelled', 'failed']),
  /** Where one that is under way is; null of others. */
  phase: runViewSchema.shape.phase.nullable(),
  /** RFC 3339 on the reference clock, of one that is under way; null until it is decided. */
  start: runViewSchema.shape.start,
  /** Whether the report's verdict does; null while there is no report. */
  holds: z.boolean().nullable(),
});

export const runListSchema = z.object({ runs: z.array(runSummarySchema) });
export const runDetailSchema = z.object({ ...runSummarySchema.shape, view: runViewSchema });
export const sensorListSchema = z.object({ sensors: z.array(registrationSchema) });
export const sessionSchema = z.object({ expires: z.string() });
export const healthSchema = z.object({ version: z.string(), redis: z.boolean() });
export const livenessSchema = z.object({ alive: z.literal(true) });
/** With what is missing, where it is not ready. */
export const readinessSchema = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });
export const refusalSchema = z.object({ error: failureSchema });

/** As JSON, before defaults are filled in. */
export type RunSettingsInput = z.input<typeof runSettingsSchema>;
export type RunSettings = z.output<typeof runSettingsSchema>;
export type PlanRequest = z.output<typeof planRequestSchema>;
export type PlanSummary = z.infer<typeof planSummarySchema>;
export type PlanInfo = z.infer<typeof planInfoSchema>;
export type SetTimeline = z.infer<typeof setTimelineSchema>;
export type RunCourse = z.infer<typeof runCourseSchema>;
export type SetInfo = z.infer<typeof setInfoSchema>;
export type RunSummary = z.infer<typeof runSummarySchema>;
