// Writes what a replay would send, each frame stamped with the time that it is due, instead of sending it.
import { isEndless, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import { isSameFile } from '@capfleet/shared/source/same-file';
import type { Source } from '@capfleet/shared/source/source';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { checkFiles, feedPlan, type FedPlan } from './feed-plan.ts';
import { createPcapOutput } from './pcap-output.ts';

const PROGRESS_MS = 200;

export interface WrittenReplay extends FedPlan {
  readonly path: string;
  readonly packets: number;
  readonly bytes: number;
  readonly span: { readonly first: Nanos; readonly last: Nanos } | null;
}

/**
 * @param plan of all that would be sent, as of one sensor
 * @throws Failure `capture-unwritable`, `stamp-unwritable`, those of `checkFiles`, or the signal's reason; an old file
 *   at the path is unchanged then
 */
export async function writeReplay(
  path: string,
  plan: SensorPlan,
  source: Source,
  signal: AbortSignal,
  onProgress: (counts: FeedCounts) => void,
): Promise<WrittenReplay> {
  const { loops, limit, duration } = plan.timeline;
  if (isEndless({ loops, limit, duration })) {
    const reason = 'a plan without end fills any disk; end it with --limit or --duration';
    throw new Failure('setting-invalid', { setting: '--write', reason, command: 'replay' });
  }
  await checkNoSource(path, plan);
  await checkFiles(plan, { kind: 'file', path }, source, signal);
  const output = createPcapOutput(path, BigInt(plan.timeline.base));
  const counts = emptyFeedCounts();
  const progress = setInterval(() => {
    onProgress(counts);
  }, PROGRESS_MS);
  try {
    const fed = await feedPlan(plan, { source, sink: output.sink, mtu: null, signal, counts });
    output.commit();
    const { packets, bytes, span } = output;
    return { ...fed, path, packets, bytes, span };
  } finally {
    clearInterval(progress);
    output.discard();
  }
}

/** Nothing that is to be played is written over. */
async function checkNoSource(path: string, { files }: SensorPlan): Promise<void> {
  for (const file of files) {
    if (await isSameFile(path, file.within?.path ?? file.path))
      throw new Failure('capture-unwritable', { path, reason: 'it is a capture of the set' });
  }
}
