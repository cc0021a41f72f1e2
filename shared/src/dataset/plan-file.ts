// The plans of all sensors as one document that a person can read, change and keep: what is common to them once, then
// each sensor's files; of a set that is shared by flow, the files once and then the sensors, whose order and number say
// which share is whose. Pure; how it is written (YAML, JSON) is its writer's.
import { z } from 'zod';
import { Failure } from '../errors/failure.ts';
import { flowShareSchema } from '../flow/flow-share.ts';
import {
  flowShare,
  sensorNameSchema,
  sensorPlanSchema,
  type PlanFile,
  type SensorPlan,
} from './replay-plan.ts';

const PLAN_VERSION = 1;
const MOST_ISSUES = 3;

/** What is the same for all sensors; all else falls away in it. */
const commonSchema = sensorPlanSchema.omit({ sensor: true, files: true, share: true });
const { files: filesSchema } = sensorPlanSchema.shape;

export const planDocumentSchema = z
  .strictObject({
    capfleetPlan: z.literal(PLAN_VERSION),
    /** The mapping that it was made from, as it was named. */
    set: z.string(),
    ...commonSchema.shape,
    /** Where the set is shared by flow: how, and the files of all sensors. */
    byFlow: z.strictObject({ tunnels: flowShareSchema.shape.tunnels, files: filesSchema }).exactOptional(),
    /** With the files of each, where it is not. */
    sensors: z.array(z.strictObject({ sensor: sensorNameSchema, files: filesSchema.exactOptional() })).min(1),
  })
  .refine(
    ({ byFlow, sensors }) => sensors.every(({ files }) => (files === undefined) !== (byFlow === undefined)),
    {
      path: ['sensors'],
      message: 'files stand at each sensor, or once, below byFlow',
    },
  );

export type PlanDocument = z.infer<typeof planDocumentSchema>;

/** @param plans those of one run, which differ in sensor, share and files alone */
export function planDocument(plans: readonly SensorPlan[], set: string): PlanDocument {
  const [first] = plans;
  if (!first) throw new RangeError('no plan');
  const common = { capfleetPlan: PLAN_VERSION, set, ...commonSchema.parse(first) } as const;
  const { share, files } = first;
  if (!share) return { ...common, sensors: plans.map(({ sensor, files }) => ({ sensor, files })) };
  const byFlow = { tunnels: share.tunnels, files };
  return { ...common, byFlow, sensors: plans.map(({ sensor }) => ({ sensor })) };
}

/**
 * @param path names the document in errors
 * @throws Failure `plan-invalid`, also where a sensor is there twice, or a file would be played twice
 */
export function plansOf(document: unknown, path: string): SensorPlan[] {
  const parsed = planDocumentSchema.safeParse(document);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const told = issues.slice(0, MOST_ISSUES).map(({ path: at, message }) => {
      return at.length > 0 ? `${at.join('.')}: ${message}` : message;
    });
    const more = issues.length > MOST_ISSUES ? `, and ${String(issues.length - MOST_ISSUES)} more` : '';
    throw new Failure('plan-invalid', { path, reason: `${told.join('; ')}${more}` });
  }
  return plansIn(parsed.data, path);
}

/** @throws Failure `plan-invalid` where a sensor is there twice, or a file would be played twice */
export function plansIn(document: PlanDocument, path: string): SensorPlan[] {
  const { sensors, byFlow } = document;
  const twice = repeated(sensors.map(({ sensor }) => sensor));
  if (twice !== null) throw new Failure('plan-invalid', { path, reason: `sensor ${twice} is there twice` });
  const played = byFlow?.files ?? sensors.flatMap(({ files = [] }) => files);
  const again = repeated(played.map(stretchOf));
  if (again !== null) throw new Failure('plan-invalid', { path, reason: `${again} would be played twice` });
  const common = commonSchema.parse(document);
  return sensors.map(({ sensor, files = byFlow?.files ?? [] }, index) => ({
    ...common,
    sensor,
    files,
    ...(byFlow && flowShare(index, sensors.length, byFlow.tunnels)),
  }));
}

function stretchOf({ path, within }: PlanFile): string {
  return within ? `${path} (${JSON.stringify(within)})` : path;
}

function repeated(names: readonly string[]): string | null {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size) ?? null;
}
