// What one sensor needs to know to play its share without any further word: its files, the run's timeline, its
// policies. Complete before the start; nothing in it is relative to another sensor.
import { z } from 'zod';
import { parseRational, type Rational } from '../time/rational.ts';
import type { Nanos } from '../time/nanos.ts';
import type { DataSet, TimedFile } from './dataset.ts';
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
  /** Largest captured length of a packet; null where the mapping does not tell. */
  maxCaptured: count.nullable(),
  linkTypes: z.array(count),
});

export const timelineSchema = z.object({
  /** Start of the whole set's window, ns since the epoch. */
  base: instant,
  /** Length of the window, ns; added per loop. */
  period: instant,
  /** Exact ratio, as `parseRational` reads it. */
  speed: z.string().refine((text) => parseRational(text) !== null, 'no positive ratio'),
  /** Times the window is played; 0 is without end. */
  loops: count,
});

export const sensorPlanSchema = z.object({
  sensor: z.string().min(1),
  timeline: timelineSchema,
  files: z.array(planFileSchema),
  policies: z.object({
    allowDefaultRouteInterface: z.boolean(),
  }),
});

export type PlanFile = z.infer<typeof planFileSchema>;
export type SensorPlan = z.infer<typeof sensorPlanSchema>;
export type RunTimeline = z.infer<typeof timelineSchema>;

export interface ReplayRequest {
  readonly sensors: readonly string[];
  readonly rule: AssignmentRule;
  readonly speed: Rational;
  readonly loops: number;
  readonly policies: SensorPlan['policies'];
}

/**
 * One plan per sensor, in the order of the sensors.
 * @param path names the data set in errors
 * @throws Failure `set-empty` and those of `assign`
 */
export function planReplay(set: DataSet, request: ReplayRequest, path: string): SensorPlan[] {
  if (!set.span) throw new Failure('set-empty', { path });
  const { earliest, latest } = set.span;
  if (earliest === latest && request.loops === 0) throw new Failure('set-without-duration', { path });
  const timeline: RunTimeline = {
    base: String(earliest),
    period: String(latest - earliest),
    speed: `${String(request.speed.numerator)}/${String(request.speed.denominator)}`,
    loops: request.loops,
  };
  const shares = assign(set.files, request.sensors, request.rule);
  return request.sensors.map((sensor) => ({
    sensor,
    timeline,
    files: (shares.get(sensor) ?? []).map(planFile),
    policies: request.policies,
  }));
}

/** Length of one pass over the window on the wire, ns. */
export function wireDuration(timeline: RunTimeline): Nanos {
  const speed = parseRational(timeline.speed);
  if (!speed) throw new RangeError(`no ratio: ${timeline.speed}`);
  return (BigInt(timeline.period) * BigInt(speed.denominator)) / BigInt(speed.numerator);
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
    maxCaptured: exact ? map.maxCaptured : null,
    linkTypes: map.linkTypes,
  };
}
