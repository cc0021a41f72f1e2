// Drives the feed of a replay into something else than a pacer: the same packets, the same due times, nothing sent and
// no waiting.
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { Source } from '@capfleet/shared/source/source';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { plannedFiles, type FileError } from '@capfleet/replayer/merge-file';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';

export interface FedPlan {
  /** What the plan left out, and why. */
  readonly counts: FeedCounts;
  /** Of the files that were to be played. */
  readonly errors: readonly FileError[];
}

/**
 * @param counts follows what was fed
 * @throws what the sink throws, or the signal's reason
 */
export async function feedPlan(
  plan: SensorPlan,
  source: Source,
  sink: FrameSink,
  signal: AbortSignal,
  counts: FeedCounts = emptyFeedCounts(),
): Promise<FedPlan> {
  const errors: FileError[] = [];
  await feed({
    timeline: plan.timeline,
    policies: plan.policies,
    mtu: plan.policies.mtu,
    filter: plan.filter ? new BpfFilter(plan.filter.program) : null,
    files: () => plannedFiles(plan, source, () => 0, errors, counts),
    sink,
    counts,
    onPrefilled: () => undefined,
    stopped: () => signal.aborted,
  });
  signal.throwIfAborted();
  return { counts, errors };
}
