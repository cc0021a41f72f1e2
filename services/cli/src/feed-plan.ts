// Drives the feed of a replay into something else than a pacer: the same packets, the same due times, nothing sent and
// no waiting.
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { isOrdered, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { Source } from '@capfleet/shared/source/source';
import { feed } from '@capfleet/replayer/feed';
import { smallerMtu } from '@capfleet/replayer/frame-limit';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { plannedFiles, type FileError } from '@capfleet/replayer/merge-file';
import type { LinkChoice } from '@capfleet/replayer/link';
import { openFileLimit } from '@capfleet/replayer/open-file-limit';
import { checkPlan } from '@capfleet/replayer/prepare';
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
  /** Asked where the sink has no room: whether it has enough. */
  readonly enough?: () => boolean;
  /** Follows what was fed. */
  readonly counts?: FeedCounts;
}

/**
 * Whether the files of a plan are what was mapped, and can go into the link, which is none of this host's interfaces.
 * @throws Failure as `checkPlan`; the signal's reason
 */
export async function checkFiles(
  plan: SensorPlan,
  link: LinkChoice,
  source: Source,
  signal: AbortSignal,
): Promise<void> {
  const interfaces = { state: () => Promise.resolve(null), names: () => Promise.resolve([]) };
  const mine = { roots: ['/'], mayUseDefaultRoute: false };
  await checkPlan(plan, { link, interfaces, source, openFileLimit: openFileLimit(), ...mine }, signal);
}

/** @throws what the sink throws, or the signal's reason */
export async function feedPlan(
  plan: SensorPlan,
  { source, sink, mtu, signal, enough = () => false, counts = emptyFeedCounts() }: FeedPlanOptions,
): Promise<FedPlan> {
  const errors: FileError[] = [];
  await feed({
    timeline: plan.timeline,
    policies: plan.policies,
    isOrdered: isOrdered(plan),
    share: plan.share ?? null,
    edits: plan.edits,
    mtu: smallerMtu(mtu, plan.policies.mtu),
    filter: plan.filter ? new BpfFilter(plan.filter.program) : null,
    files: () => plannedFiles(plan, source, () => 0, errors),
    sink,
    counts,
    onPrefilled: () => undefined,
    stopped: () => signal.aborted || enough(),
  });
  signal.throwIfAborted();
  return { counts, errors };
}
