// Holds what a far end received against what a replay was to send, packet by packet, whoever sent it.
import { disk } from '@capfleet/shared/source/disk';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { plainReplay, planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { ReplayComparison, type Comparison } from '@capfleet/shared/verify/comparison';
import { createDigest } from '@capfleet/shared/verify/digest';
import { mapFile } from '@capfleet/mapper/map-file';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { Merge } from '@capfleet/replayer/merge';
import { mergeFileOf, type FileError } from '@capfleet/replayer/merge-file';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';

export interface Verification {
  readonly comparison: Comparison;
  /** What the plan left out, and why. */
  readonly counts: FeedCounts;
  /** Of the files that were to be played. */
  readonly errors: readonly FileError[];
}

/**
 * @param plan of all that was to be played, as of one sensor
 * @param received captures of the far ends, whose stamps are of one clock
 * @throws Failure of reading, `capture-…`, or the signal's reason
 */
export async function verifyReplay(
  plan: SensorPlan,
  source: Source,
  received: readonly string[],
  signal: AbortSignal,
): Promise<Verification> {
  const digest = await createDigest();
  const comparison = new ReplayComparison();
  const counts = emptyFeedCounts();
  const errors: FileError[] = [];
  await feed({
    timeline: plan.timeline,
    policies: plan.policies,
    edits: plan.edits,
    mtu: null,
    sink: comparisonSink(comparison, digest),
    files: () => plan.files.map((file) => mergeFileOf(file, source, 0, errors, plan.edits)),
    counts,
    onPrefilled: () => undefined,
    stopped: () => signal.aborted,
  });
  signal.throwIfAborted();
  await addReceived(comparison, digest, received, signal);
  return { comparison: comparison.conclude(), counts, errors };
}

/** Maps captures in this process, for who gives files instead of a mapping. @throws Failure */
export async function mapCaptures(paths: readonly string[]): Promise<FileMap[]> {
  const maps: FileMap[] = [];
  for (const path of paths) {
    const map = await mapFile(disk, await disk.stat(path));
    if (map.status === 'failed') throw new Failure('capture-unreadable', { path, reason: map.error.message });
    maps.push(map);
  }
  return maps;
}

type Digest = Awaited<ReturnType<typeof createDigest>>;

function comparisonSink(comparison: ReplayComparison, digest: Digest): FrameSink {
  let base = 0;
  return {
    origin(origin: Nanos) {
      base = Number(origin);
      return true;
    },
    frame(due, bytes, start, length) {
      comparison.addPlanned(digest(bytes, start, length), base + due);
      return true;
    },
    commit: () => undefined,
    end: () => undefined,
  };
}

async function addReceived(
  comparison: ReplayComparison,
  digest: Digest,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const set = buildDataSet(await mapCaptures(paths));
  // Nothing came: everything is lost, which is a result.
  if (!set.span) return;
  const [plan] = planReplay(set, { ...plainReplay, sensors: ['far end'], rule: { by: 'lane' } }, 'received');
  const errors: FileError[] = [];
  const merge = new Merge((plan?.files ?? []).map((file) => mergeFileOf(file, disk, 0, errors)));
  const base = Number(set.span.earliest / 1_000_000_000n);
  try {
    for (;;) {
      signal.throwIfAborted();
      for (let reader = merge.next(); reader !== null; reader = merge.next()) {
        const { window, dataStart, capturedLength } = reader;
        comparison.addReceived(
          digest(window, dataStart, capturedLength),
          (merge.seconds - base) * 1e9 + merge.nanos,
        );
      }
      if (!(await merge.settle())) break;
    }
  } finally {
    await merge.close();
  }
  const [error] = errors;
  if (error) throw new Failure('received-damaged', { ...error });
}
