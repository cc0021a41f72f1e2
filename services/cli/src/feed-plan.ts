// Drives the feed of a replay into something else than a pacer: the same packets, the same due times, nothing sent and
// no waiting.
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { isOrdered, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { Source } from '@capfleet/shared/source/source';
import { feed } from '@capfleet/replayer/feed';
import { smallerMtu } from '@capfleet/replayer/frame-limit';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { plannedFiles, type FileError } from '@capfleet/replayer/merge-file';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';

export interface FedPlan {
  /** What the plan left out, and why. */
  readonly counts: FeedCounts;
  /** Of the files that were to be played. */
  readonly errors: readonly FileError[];
}

export interface FeedPlanOptions {
  readonly source: Source;
  readonly sink: FrameSink;
  /** Of the interface that sends; null: none, or one that takes any frame that the plan lets go. */
  readonly mtu: number | null;
  readonly signal: AbortSignal;
  /** Follows what was fed. */
  readonly counts?: FeedCounts;
}

/** @throws what the sink throws, or the signal's reason */
export async function feedPlan(
  plan: SensorPlan,
  { source, sink, mtu, signal, counts = emptyFeedCounts() }: FeedPlanOptions,
): Promise<FedPlan> {
  const errors: FileError[] = [];
  await feed({
    timeline: plan.timeline,
    policies: plan.policies,
    isOrdered: isOrdered(plan),
    edits: plan.edits,
    mtu: smallerMtu(mtu, plan.policies.mtu),
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
