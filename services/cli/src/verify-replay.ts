// Holds what a far end received against what a replay was to send, packet by packet, whoever sent it.
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap, MappedFile } from '@capfleet/shared/dataset/file-map';
import { plainReplay, planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import { SECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { ReplayComparison, type Comparison } from '@capfleet/shared/verify/comparison';
import { diagnose, FrameTally } from '@capfleet/shared/verify/diagnosis';
import { createDigest, type DigestOf } from '@capfleet/shared/verify/digest';
import type { Series } from '@capfleet/shared/verify/series';
import { mapFile } from '@capfleet/mapper/map-file';
import { Merge } from '@capfleet/replayer/merge';
import { mergeFileOf, type FileError } from '@capfleet/replayer/merge-file';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';
import { feedPlan, type FedPlan } from './feed-plan.ts';

export interface VerifyRequest {
  /** Of all that was to be played, as of one sensor. */
  readonly plan: SensorPlan;
  /** Frames of the plan that went out, where the run ended before all had; null: all. */
  readonly frames: number | null;
  /** Of what was played, and of what was received. */
  readonly source: Source;
  /** Captures of the far ends, whose stamps are of one clock. */
  readonly received: readonly string[];
  /** Of the interface that sent, for the plan's policy about larger frames; null: any frame went. */
  readonly mtu: number | null;
  /** The start of the run by the clock of the far end; null where that is not known. */
  readonly startedAt: Nanos | null;
  readonly signal: AbortSignal;
}

export interface Verification extends FedPlan {
  readonly comparison: Comparison;
  readonly series: Series | null;
  /** Why packets that arrived may not be known again, likeliest first. */
  readonly reasons: readonly string[];
  readonly received: ReceivedFacts;
}

/** What the far end's captures can tell. */
export interface ReceivedFacts {
  /** Units of the stamps, as in a mapping. */
  readonly resolutions: readonly string[];
  /** Bytes of a packet that were kept, where some were cut off; null: all. */
  readonly kept: number | null;
  /** Captures that end early, and how. */
  readonly damaged: readonly FileError[];
}

/** @throws Failure of reading, `capture-…`, `received-damaged`, or the signal's reason */
export async function verifyReplay({
  plan,
  frames,
  source,
  received,
  mtu,
  startedAt,
  signal,
}: VerifyRequest): Promise<Verification> {
  // The far end first: it decides how much of a packet can be compared.
  const maps = await mapCaptures(received, source);
  const facts = factsOf(maps);
  const digest = await createDigest(facts.kept ?? undefined);
  const comparison = new ReplayComparison();
  const [planned, arrived] = [new FrameTally(), new FrameTally()];
  const enough = (): boolean => planned.frames === frames;
  const fed = await feedPlan(plan, {
    source,
    mtu,
    sink: comparisonSink(comparison, digest, planned, enough),
    signal,
    enough,
  });
  const set = buildDataSet(maps);
  await addReceived(comparison, digest, arrived, set, source, signal);
  const clockOffset = startedAt === null || !set.span ? null : Number(startedAt - baseOf(set.span));
  const { comparison: found, series } = comparison.conclude(clockOffset, plan.timeline.pace.kind !== 'top');
  return {
    comparison: found,
    series,
    reasons: diagnose(found, planned, arrived),
    received: facts,
    ...fed,
  };
}

/** Maps captures in this process, for who gives files instead of a mapping. @throws Failure */
export async function mapCaptures(paths: readonly string[], source: Source): Promise<FileMap[]> {
  const maps: FileMap[] = [];
  for (const path of paths) {
    const map = await mapFile(source, await source.stat(path));
    if (map.status === 'failed') throw new Failure('capture-unreadable', { path, reason: map.error.message });
    maps.push(map);
  }
  return maps;
}

function factsOf(maps: readonly FileMap[]): ReceivedFacts {
  const mapped = maps.filter((map): map is MappedFile => map.status === 'ok' || map.status === 'partial');
  // Where some packets were cut off, the longest that was kept is as long as any could be.
  const cut = mapped.filter(({ capturedBytes, wireBytes }) => capturedBytes < wireBytes);
  return {
    resolutions: [...new Set(mapped.map(({ resolution }) => resolution))].sort(),
    kept: cut.length === 0 ? null : Math.min(...cut.map(({ maxCaptured }) => maxCaptured)),
    damaged: mapped
      .filter(({ status }) => status === 'partial')
      .map(({ path, warnings }) => ({ path, message: warnings[0]?.message ?? 'damaged' })),
  };
}

function comparisonSink(
  comparison: ReplayComparison,
  digest: DigestOf,
  tally: FrameTally,
  enough: () => boolean,
): FrameSink {
  let base = 0;
  return {
    origin(origin: Nanos) {
      base = Number(origin);
      return true;
    },
    frame(due, bytes, start, length) {
      if (enough()) return false;
      tally.add(bytes, start, length, length);
      comparison.addPlanned(digest(bytes, start, length, length), base + due);
      return true;
    },
    commit: () => undefined,
    end: () => undefined,
  };
}

async function addReceived(
  comparison: ReplayComparison,
  digest: DigestOf,
  tally: FrameTally,
  set: DataSet,
  source: Source,
  signal: AbortSignal,
): Promise<void> {
  // Nothing came: everything is lost, which is a result.
  if (!set.span) return;
  const [plan] = planReplay(set, { ...plainReplay, sensors: ['far end'], rule: { by: 'lane' } }, 'received');
  const errors: FileError[] = [];
  const merge = new Merge((plan?.files ?? []).map((file) => mergeFileOf(file, source, 0, errors)));
  const base = Number(baseOf(set.span) / SECOND);
  try {
    for (;;) {
      signal.throwIfAborted();
      for (let reader = merge.next(); reader !== null; reader = merge.next()) {
        const { window, dataStart, capturedLength, wireLength } = reader;
        tally.add(window, dataStart, capturedLength, wireLength);
        comparison.addReceived(
          digest(window, dataStart, capturedLength, Math.max(capturedLength, wireLength)),
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

/** What arrivals are counted from: a whole second. */
function baseOf({ earliest }: NonNullable<DataSet['span']>): Nanos {
  return (earliest / SECOND) * SECOND;
}
