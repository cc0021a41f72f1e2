// What a plan comes to: who sends how much, for how long. Pure.
import type { PlanSummary } from '@capfleet/shared/contract/api';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { ONE, parseRational } from '@capfleet/shared/time/rational';

/** @param name under which it is kept */
export function summarisePlan(name: string, document: PlanDocument): PlanSummary {
  const { set, byFlow, sensors, timeline } = document;
  const { loops, period, speed, loopDelay, duration } = timeline;
  const { numerator, denominator } = parseRational(speed) ?? ONE;
  const pass = (BigInt(period) * BigInt(denominator)) / BigInt(numerator);
  const whole = loops === 0 ? pass : pass * BigInt(loops) + BigInt(loopDelay) * BigInt(loops - 1);
  const length = duration !== null && BigInt(duration) < whole ? BigInt(duration) : whole;
  return {
    plan: name,
    set,
    loops,
    length: String(length),
    byFlow: byFlow !== undefined,
    sensors: sensors.map(({ sensor, files = byFlow?.files ?? [] }) => ({
      sensor,
      files: files.length,
      packets: files.reduce((sum, { packets }) => sum + packets, 0) * Math.max(1, loops),
    })),
  };
}
