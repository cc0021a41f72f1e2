// What a plan comes to: who sends how much, for how long. Pure.
import type { PlanSummary } from '@capfleet/shared/contract/api';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { runDuration, wireDuration } from '@capfleet/shared/dataset/replay-plan';

/** @param name under which it is kept */
export function summarisePlan(name: string, document: PlanDocument): PlanSummary {
  const { set, byFlow, sensors, timeline } = document;
  const { loops } = timeline;
  return {
    plan: name,
    set,
    loops,
    length: String(loops === 0 ? wireDuration(timeline) : runDuration(timeline)),
    byFlow: byFlow !== undefined,
    sensors: sensors.map(({ sensor, files = byFlow?.files ?? [] }) => ({
      sensor,
      files: files.length,
      packets: files.reduce((sum, { packets }) => sum + packets, 0) * Math.max(1, loops),
    })),
  };
}
