// How many packets each sensor has to send when, out of the plans of a run, boiled down to a size that does not grow with
// them. Pure.
import { PLANNED_BUCKETS, type RunCourse } from '@capfleet/shared/contract/api';
import { runDuration, wireDuration, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { Curve } from './curve.ts';

type Planned = NonNullable<RunCourse['planned']>;

const MOST_PLACED = 2_000_000;

/** Null where packets are not due by their stamps alone, or the run has no end. */
export function plannedRate(plans: readonly SensorPlan[]): Planned | null {
  const [first] = plans;
  if (!first) return null;
  const { base, speed, loops, loopDelay, pace, maxGap, limit } = first.timeline;
  const ratio = parseRational(speed);
  const files = plans.reduce((sum, plan) => sum + plan.files.length, 0);
  if (!ratio || pace.kind !== 'original' || maxGap !== null || limit !== null) return null;
  if (loops === 0 || loops * files > MOST_PLACED) return null;
  const slow = ratio.denominator / ratio.numerator;
  const pass = Number(wireDuration(first.timeline));
  const turn = pass + Number(loopDelay);
  const length = Number(runDuration(first.timeline));
  const width = length > 0 ? length / PLANNED_BUCKETS : 1;
  const buckets = length > 0 ? PLANNED_BUCKETS : 1;
  const origin = BigInt(base);
  const sensors = plans.map(({ sensor, files: own, share, timeline: { windowed } }) => {
    const curve = new Curve(buckets);
    for (const { earliest, latest, packets } of own) {
      const from = Number(BigInt(earliest) - origin) * slow;
      const to = Number(BigInt(latest) - origin) * slow;
      const [begin, end] = windowed ? [Math.max(from, 0), Math.min(to, pass)] : [from, to];
      const kept = to > from ? (end - begin) / (to - from) : 1;
      const amount = (packets * kept) / (share?.of ?? 1);
      for (let loop = 0; loop < loops; loop += 1)
        curve.spread((begin + loop * turn) / width, (end + loop * turn) / width, amount);
    }
    return { sensor, packetsOver: curve.counts() };
  });
  return { bucket: width, estimated: first.share !== undefined || first.filter !== undefined, sensors };
}
