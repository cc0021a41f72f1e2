// What one sensor needs to know to play its share without any further word: its files, the run's timeline, its
// policies. Complete before the start; nothing in it is relative to another sensor.
import { z } from 'zod';
import { frameFilterSchema, type FrameFilter } from '../bpf/program.ts';
import { formatDuration, formatInstant, type Nanos } from '../time/nanos.ts';
import { nearestRational, ONE, parseRational, type Rational } from '../time/rational.ts';
import type { DataSet, TimedFile } from './dataset.ts';
import { flowShareSchema, type FlowSharePlan } from '../flow/flow-share.ts';
import { editPlanSchema, noEdits, type EditPlan } from '../edit/edit-plan.ts';
import { versionSchema, withinSchema } from './file-map.ts';
import { assign, type AssignmentRule } from './assignment.ts';
import { Failure } from '../errors/failure.ts';

const count = z.int().nonnegative();
const instant = z.string().regex(/^-?\d{1,25}$/);

export const planFileSchema = z.object({
  path: z.string().min(1),
  /** Size and version when it was mapped; null where the mapping does not tell. */
  fileSize: count.nullable(),
  version: versionSchema.nullable(),
  /** The file that this one is a stretch of, and where in it. */
  within: withinSchema.exactOptional(),
  earliest: instant,
  latest: instant,
  packets: count,
  /** Whether `packets` is an estimate (quick map). */
  estimated: z.boolean().exactOptional(),
  /** Packets whose stamp is earlier than one before them; absent where the mapping does not tell. */
  outOfOrder: count.exactOptional(),
  /** Largest captured length of a packet; null where the mapping does not tell. */
  maxCaptured: count.nullable(),
  /** Largest length of a packet on the wire; absent or null where the mapping does not tell. */
  maxWire: count.nullable().exactOptional(),
  linkTypes: z.array(count),
});

const ratio = z
  .string()
  .regex(/^.{1,64}$/, { abort: true })
  .refine((text) => parseRational(text) !== null, 'no positive ratio');

/** A slower rate would make gaps that a plain number of nanoseconds cannot count. */
export const SLOWEST_RATE = 1e-6;
const rate = ratio.refine(
  (text) => {
    const { numerator, denominator } = parseRational(text) ?? { numerator: 0, denominator: 1 };
    return numerator / denominator >= SLOWEST_RATE;
  },
  `below ${String(SLOWEST_RATE)}`,
);

/** By what packets are due: their stamps, a rate (packets or Mbit of frames per second), or nothing: at once. */
export const paceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('original') }),
  z.object({ kind: z.literal('packets'), perSecond: rate }),
  z.object({ kind: z.literal('megabits'), perSecond: rate }),
  z.object({ kind: z.literal('top') }),
]);

export const timelineSchema = z.object({
  /** Start of the whole set's window, ns since the epoch. */
  base: instant,
  /** Length of the window, ns; added per loop. */
  period: instant,
  /** Exact ratio, as `parseRational` reads it. */
  speed: ratio,
  /** Times the window is played; 0 is without end. */
  loops: count,
  /** Whether packets outside of the window are left out; else all of the files are played. */
  windowed: z.boolean(),
  pace: paceSchema,
  /** Between two loops, ns on the wire. */
  loopDelay: instant,
  /** Gaps on the wire are shortened to this, ns; null: never. */
  maxGap: instant.nullable(),
  /** Ends after so many packets that were due, of a set that is shared by flow those of all sensors; null: never. */
  limit: count.nullable(),
  /** Ends before the first packet that is due later than this, ns after the start; null: never. */
  duration: instant.nullable(),
});

/** What every host must take in one piece (RFC 791). */
export const SMALLEST_MTU = 68;

export const sensorNameSchema = z.string().regex(/^[\w.-]{1,64}$/, 'no sensor name');

export const sensorPlanSchema = z.object({
  sensor: sensorNameSchema,
  timeline: timelineSchema,
  files: z.array(planFileSchema),
  /** Which of their packets are this sensor's, as they were captured; absent: all. */
  share: flowShareSchema.exactOptional(),
  edits: editPlanSchema,
  policies: z.object({
    allowDefaultRouteInterface: z.boolean(),
    /** A packet whose stamp is earlier than the latest before it in its file: at once, or not at all. */
    backwards: z.enum(['send', 'skip']),
    /** Stamps that run backwards by so many ns are put in order before that is decided; null: none are. */
    reorder: instant.nullable(),
    /** A frame larger than the interface takes: the run is refused; it is left out; its end is cut off; its TCP
     *  payload goes out in segments, and what holds none is left out. */
    oversize: z.enum(['fail', 'skip', 'truncate', 'segment']),
    /** All files are read into memory before the start, where they have at most so many bytes; null: as they are
     *  needed. */
    preload: count.nullable(),
    /** Frames are held against this MTU where the link has none or a larger one; null: against the link's own. */
    mtu: z.int().min(SMALLEST_MTU).nullable(),
  }),
  /** Which frames go out; absent: all. */
  filter: frameFilterSchema.exactOptional(),
});

export type PlanFile = z.infer<typeof planFileSchema>;
export type SensorPlan = z.infer<typeof sensorPlanSchema>;
export type RunTimeline = z.infer<typeof timelineSchema>;
export type Pace = z.infer<typeof paceSchema>;
export type ReplayPolicies = SensorPlan['policies'];

export interface ReplayRequest {
  readonly sensors: readonly string[];
  readonly rule: AssignmentRule;
  /** A ratio, or the time that one pass shall take. */
  readonly speed: Rational | { readonly duration: Nanos };
  readonly loops: number;
  /** The part of the set that is played, both ends included; null: from its beginning, to its end. */
  readonly window: { readonly from: Nanos | null; readonly to: Nanos | null };
  readonly pace: Pace;
  readonly loopDelay: Nanos;
  readonly maxGap: Nanos | null;
  readonly limit: number | null;
  readonly duration: Nanos | null;
  readonly edits: EditPlan;
  readonly policies: ReplayPolicies;
  /** Which frames go out; null: all. */
  readonly filter: FrameFilter | null;
}

/** Whether no file has stamps that run backwards, as far as the mapping knows. */
export function isOrdered({ files }: SensorPlan): boolean {
  return files.every(({ outOfOrder }) => outOfOrder === 0);
}

/** The request of a replay as it was, once. */
export const plainReplay = {
  speed: ONE,
  loops: 1,
  window: { from: null, to: null },
  pace: { kind: 'original' },
  loopDelay: 0n,
  maxGap: null,
  limit: null,
  duration: null,
  edits: noEdits,
  policies: {
    allowDefaultRouteInterface: false,
    backwards: 'send',
    oversize: 'fail',
    mtu: null,
    reorder: null,
    preload: null,
  },
  filter: null,
} as const satisfies Partial<ReplayRequest>;

/**
 * One plan per sensor, in the order of the sensors.
 * @param path names the data set in errors
 * @throws Failure `set-empty`, `set-without-duration`, `window-empty`, `speed-out-of-range` and those of `assign`
 */
export function planReplay(set: DataSet, request: ReplayRequest, path: string): SensorPlan[] {
  if (!set.span) throw new Failure('set-empty', { path });
  const window = windowOf(set.span, request.window, path);
  const files = set.files.filter(({ earliest, latest }) => latest >= window.from && earliest <= window.to);
  if (files.length === 0) throw windowEmpty(set.span, request.window, path);
  const period = window.to - window.from;
  if (period === 0n && request.loops === 0 && request.pace.kind === 'original')
    throw new Failure('set-without-duration', { path });
  const speed = speedOf(request.speed, period);
  const timeline: RunTimeline = {
    base: String(window.from),
    period: String(period),
    speed: `${String(speed.numerator)}/${String(speed.denominator)}`,
    loops: request.loops,
    windowed: request.window.from !== null || request.window.to !== null,
    pace: request.pace,
    loopDelay: String(request.loopDelay),
    maxGap: request.maxGap === null ? null : String(request.maxGap),
    limit: request.limit,
    duration: request.duration === null ? null : String(request.duration),
  };
  const shares = assign(files, request.sensors, request.rule);
  const { rule, sensors } = request;
  return sensors.map((sensor, index) => ({
    sensor,
    timeline,
    files: (shares.get(sensor) ?? []).map(planFile),
    ...(rule.by === 'flow' && flowShare(index, sensors.length, rule.tunnels)),
    edits: request.edits,
    policies: request.policies,
    ...(request.filter && { filter: request.filter }),
  }));
}

/** Of the plan of one of so many sensors that share a set by flow: a single one has all of it. */
export function flowShare(
  index: number,
  of: number,
  tunnels: FlowSharePlan['tunnels'],
): Pick<SensorPlan, 'share'> {
  return of > 1 ? { share: { index, of, tunnels } } : {};
}

/** What is asked for, as far as the set goes. */
function windowOf(
  span: NonNullable<DataSet['span']>,
  asked: ReplayRequest['window'],
  path: string,
): { readonly from: Nanos; readonly to: Nanos } {
  const from = asked.from !== null && asked.from > span.earliest ? asked.from : span.earliest;
  const to = asked.to !== null && asked.to < span.latest ? asked.to : span.latest;
  if (from > to) throw windowEmpty(span, asked, path);
  return { from, to };
}

function windowEmpty(
  span: NonNullable<DataSet['span']>,
  { from, to }: ReplayRequest['window'],
  path: string,
): Failure {
  return new Failure('window-empty', {
    path,
    from: from === null ? 'its beginning' : formatInstant(from),
    to: to === null ? 'its end' : formatInstant(to),
    earliest: formatInstant(span.earliest),
    latest: formatInstant(span.latest),
  });
}

function speedOf(speed: ReplayRequest['speed'], period: Nanos): Rational {
  if (!('duration' in speed)) return speed;
  const ratio = nearestRational(period, speed.duration);
  if (ratio) return ratio;
  throw new Failure('speed-out-of-range', {
    period: formatDuration(period),
    duration: formatDuration(speed.duration),
  });
}

/** Length of one pass over the window on the wire, ns. */
export function wireDuration(timeline: RunTimeline): Nanos {
  const speed = parseRational(timeline.speed);
  if (!speed) throw new RangeError(`no ratio: ${timeline.speed}`);
  return (BigInt(timeline.period) * BigInt(speed.denominator)) / BigInt(speed.numerator);
}

export function isEndless({
  loops,
  limit,
  duration,
}: Pick<ReplayRequest, 'loops' | 'limit'> & { readonly duration: unknown }): boolean {
  return loops === 0 && limit === null && duration === null;
}

/** How long the run will take on the wire, ns, where that is known; else 0. */
export function runDuration(timeline: RunTimeline): Nanos {
  const { pace, loops, loopDelay, maxGap, duration } = timeline;
  if (pace.kind !== 'original' || maxGap !== null || loops === 0) return BigInt(duration ?? 0);
  const whole = wireDuration(timeline) * BigInt(loops) + BigInt(loopDelay) * BigInt(loops - 1);
  return duration !== null && BigInt(duration) < whole ? BigInt(duration) : whole;
}

/** Bytes of a file that its play takes each second, on average; infinite for a file of one instant. */
export function fileRate(file: PlanFile, timeline: RunTimeline): number {
  const speed = parseRational(timeline.speed);
  if (!speed) throw new RangeError(`no ratio: ${timeline.speed}`);
  const seconds = Number(BigInt(file.latest) - BigInt(file.earliest)) / 1e9;
  return ((file.fileSize ?? Number.POSITIVE_INFINITY) / seconds) * (speed.numerator / speed.denominator);
}

function planFile({ map, earliest, latest }: TimedFile): PlanFile {
  const exact = map.version !== null;
  return {
    path: map.path,
    fileSize: exact ? map.fileSize : null,
    version: map.version,
    ...(map.within && { within: map.within }),
    earliest: String(earliest),
    latest: String(latest),
    packets: map.packets,
    ...(exact && { outOfOrder: map.outOfOrder }),
    ...(map.estimated === true && { estimated: true }),
    maxCaptured: exact ? map.maxCaptured : null,
    maxWire: exact ? map.maxWire : null,
    linkTypes: map.linkTypes,
  };
}
