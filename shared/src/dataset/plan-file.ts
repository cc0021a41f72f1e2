// The plans of all sensors as one document that a person can read, change and keep: what is common to them once, then
// each sensor's files. Pure; how it is written (YAML, JSON) is its writer's.
import { z } from 'zod';
import { Failure } from '../errors/failure.ts';
import { sensorNameSchema, sensorPlanSchema, type PlanFile, type SensorPlan } from './replay-plan.ts';

const PLAN_VERSION = 1;
const MOST_ISSUES = 3;

/** What is the same for all sensors; all else falls away in it. */
const commonSchema = sensorPlanSchema.omit({ sensor: true, files: true });
const ownSchema = sensorPlanSchema.pick({ files: true }).extend({ sensor: sensorNameSchema });

const planDocumentSchema = z.strictObject({
  capfleetPlan: z.literal(PLAN_VERSION),
  /** The mapping that it was made from, as it was named. */
  set: z.string(),
  ...commonSchema.shape,
  sensors: z.array(z.strictObject(ownSchema.shape)).min(1),
});

export type PlanDocument = z.infer<typeof planDocumentSchema>;

/** @param plans those of one run, which differ in sensor and files alone */
export function planDocument(plans: readonly SensorPlan[], set: string): PlanDocument {
  const [first] = plans;
  if (!first) throw new RangeError('no plan');
  const sensors = plans.map(({ sensor, files }) => ({ sensor, files }));
  return { capfleetPlan: PLAN_VERSION, set, ...commonSchema.parse(first), sensors };
}

/**
 * @param path names the document in errors
 * @throws Failure `plan-invalid`, also where a sensor is there twice, or a file would be played twice
 */
export function plansOf(document: unknown, path: string): SensorPlan[] {
  const parsed = planDocumentSchema.safeParse(document);
  if (!parsed.success) {
    const { issues } = parsed.error;
    const told = issues.slice(0, MOST_ISSUES).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    const more = issues.length > MOST_ISSUES ? `, and ${String(issues.length - MOST_ISSUES)} more` : '';
    throw new Failure('plan-invalid', { path, reason: `${told.join('; ')}${more}` });
  }
  const { sensors } = parsed.data;
  const twice = repeated(sensors.map(({ sensor }) => sensor));
  if (twice !== null) throw new Failure('plan-invalid', { path, reason: `sensor ${twice} is there twice` });
  const again = repeated(sensors.flatMap(({ files }) => files.map(stretchOf)));
  if (again !== null) throw new Failure('plan-invalid', { path, reason: `${again} would be played twice` });
  const shared = commonSchema.parse(parsed.data);
  return sensors.map((each) => ({ ...shared, ...each }));
}

function stretchOf({ path, within }: PlanFile): string {
  return within ? `${path} (${JSON.stringify(within)})` : path;
}

function repeated(names: readonly string[]): string | null {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size) ?? null;
}
