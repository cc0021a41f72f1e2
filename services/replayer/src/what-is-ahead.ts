// What a sensor still has to read that joins a run at some place: the loop, and of that loop the files that are not over.
import type { PlanFile, SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { parseRational } from '@capfleet/shared/time/rational';
import { dueOf } from '@capfleet/shared/time/timeline';

export interface Ahead {
  readonly loop: number;
  readonly files: PlanFile[];
}

/** @param place ns after the run's start */
export function whatIsAhead({ files, timeline, share }: SensorPlan, place: Nanos): Ahead {
  const { pace, maxGap, limit, loops } = timeline;
  // Where due times or the end hang on all that was before, all of it is read.
  if (place <= 0n || pace.kind !== 'original' || maxGap !== null || limit !== null) return { loop: 0, files };
  const speed = parseRational(timeline.speed);
  if (!speed) throw new RangeError(`no ratio: ${timeline.speed}`);
  const base = BigInt(timeline.base);
  const due = (instant: Nanos, loop: number): Nanos =>
    dueOf(instant, base, BigInt(timeline.period), speed, loop) + BigInt(loop) * BigInt(timeline.loopDelay);
  const most = loops === 0 ? Number.POSITIVE_INFINITY : loops - 1;
  const length = due(base, 1);
  let loop = length > 0n ? Math.min(most, Number(place / length)) : 0;
  for (;;) {
    const ahead = files.filter((file) => due(BigInt(file.latest), loop) >= place);
    // Where packets follow others of their flow, those are read, too.
    if (ahead.length > 0 || loop >= most || files.length === 0) return { loop, files: share ? files : ahead };
    loop += 1;
  }
}
