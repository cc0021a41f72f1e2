// How the lanes of a data set lie in time: where each one wrote, where it paused, where files had packets out of
// order, and how many lanes wrote at once. Pure; instants in ns.
import type { TimedFile } from './dataset.ts';
import { compareSpans, type Span } from './lanes.ts';
import type { Nanos } from '../time/nanos.ts';

export interface LaneTimeline {
  readonly lane: number;
  readonly files: number;
  readonly packets: number;
  /** Where it wrote: its files, those run together between which it paused no longer than the least gap. */
  readonly spans: readonly Span[];
  /** Its pauses between the first and the last of its files. */
  readonly gaps: readonly Span[];
  /** Files with packets that have an earlier stamp than the packet before them. */
  readonly outOfOrder: readonly (Span & { readonly name: string; readonly packets: number })[];
}

/** A stretch of time in which the same number of lanes wrote. */
export interface Overlap extends Span {
  readonly lanes: number;
}

/**
 * @param files in the order of the data set
 * @param leastGap pauses up to this long are none
 */
export function laneTimelines(files: readonly TimedFile[], leastGap: Nanos): LaneTimeline[] {
  const byLane = Map.groupBy(files, ({ lane }) => lane);
  return [...byLane.entries()]
    .sort(([a], [b]) => a - b)
    .map(([lane, own]) => {
      const spans = runTogether(own, leastGap);
      return {
        lane,
        files: own.length,
        packets: own.reduce((sum, { map }) => sum + map.packets, 0),
        spans,
        gaps: gapsBetween(spans),
        outOfOrder: own
          .filter(({ map }) => map.outOfOrder > 0)
          .map(({ map, earliest, latest }) => ({
            name: map.name,
            packets: map.outOfOrder,
            earliest,
            latest,
          })),
      };
    });
}

/** The stretches with a constant number of lanes that wrote, from the first to the last instant. */
export function overlaps(timelines: readonly Pick<LaneTimeline, 'spans'>[]): Overlap[] {
  const turns: { at: Nanos; change: number }[] = [];
  for (const { spans } of timelines) {
    for (const { earliest, latest } of spans)
      turns.push({ at: earliest, change: 1 }, { at: latest, change: -1 });
  }
  turns.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : b.change - a.change));
  const stretches: Overlap[] = [];
  let lanes = 0;
  turns.forEach(({ at, change }, index) => {
    lanes += change;
    const next = turns[index + 1];
    if (!next || next.at === at) return;
    const before = stretches.at(-1);
    if (before?.lanes === lanes && before.latest === at)
      stretches[stretches.length - 1] = { ...before, latest: next.at };
    else stretches.push({ lanes, earliest: at, latest: next.at });
  });
  return stretches;
}

/** What lies between them. */
export function gapsBetween(spans: readonly Span[]): Span[] {
  return spans
    .slice(1)
    .map(({ earliest }, index) => ({ earliest: spans[index]?.latest ?? 0n, latest: earliest }));
}

/** Files of a lane as one span where the pause between them is no longer than the least gap. */
export function runTogether(files: readonly Span[], leastGap: Nanos): Span[] {
  const spans: { earliest: Nanos; latest: Nanos }[] = [];
  for (const { earliest, latest } of [...files].sort(compareSpans)) {
    const last = spans.at(-1);
    if (!last || earliest - last.latest > leastGap) spans.push({ earliest, latest });
    else if (latest > last.latest) last.latest = latest;
  }
  return spans;
}
