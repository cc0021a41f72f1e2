// Feeds a sink, a pacer's ring as a rule: reads all files in merged order, edits packets, decides which go out and when,
// and hands them on as far ahead as the sink has room. Knows no clock: everything it computes is relative to the run's start.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { BpfFilter } from '@capfleet/shared/bpf/filter';
import type { ReplayPolicies, RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import { createFrameEditor, type FrameEditor } from '@capfleet/shared/edit/frame-editor';
import { FlowShare, type FlowSharePlan } from '@capfleet/shared/flow/flow-share';
import { Admission } from './admission.ts';
import type { FeedCounts } from './feed-counts.ts';
import { Merge, type MergeFile } from './merge.ts';
import type { FrameSink } from './ports/frame-sink.ts';
import { createSchedule, type Schedule } from './schedule.ts';

/** Pause while the ring is full; it holds far more than is sent in that time. */
const FULL_PAUSE_MS = 2;
/** Others of this thread get their turn at least this often, also where all that is read is in memory. */
const TURN_MS = 4;

export interface FeedOptions {
  readonly timeline: RunTimeline;
  readonly policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>;
  /** Left out: frames go out as they were captured. */
  readonly edits?: EditPlan;
  /** Of the interface; null where any frame goes. */
  readonly mtu: number | null;
  /** Which packets are this sensor's; left out: all. */
  readonly share?: FlowSharePlan | null;
  /** Which frames go out; absent: all. */
  readonly filter?: BpfFilter | null;
  /** Whether no file of the plan has stamps that run backwards; left out: who knows. */
  readonly isOrdered?: boolean;
  /** In the order of the plan; asked again for each loop. */
  readonly files: (loop: number) => readonly MergeFile[];
  /** The loops before it are over; left out: none is. */
  readonly firstLoop?: number;
  readonly sink: FrameSink;
  readonly counts: FeedCounts;
  /** Called once when the ring is full for the first time, holds many loops or all is read: the run can start. */
  readonly onPrefilled: () => void;
  readonly stopped: () => boolean;
}

/** Resolves when all is written, or when stopped. */
export async function feed(options: FeedOptions): Promise<void> {
  const { timeline, sink, counts, stopped, firstLoop = 0 } = options;
  const schedule = createSchedule(timeline);
  const editor = createFrameEditor(options.edits ?? noEdits);
  const share = options.share ? new FlowShare(options.share) : null;
  const admission = new Admission(
    timeline,
    options.policies,
    options.mtu,
    options.filter ?? null,
    share,
    counts,
  );
  let prefilled = false;
  const onPrefilled = (): void => {
    if (prefilled) return;
    prefilled = true;
    options.onPrefilled();
  };
  let turn = performance.now();
  const giveTurn = async (): Promise<void> => {
    if (performance.now() - turn < TURN_MS) return;
    await nextTurn();
    turn = performance.now();
  };
  const waitForRoom = async (): Promise<void> => {
    sink.commit();
    onPrefilled();
    await sleep(FULL_PAUSE_MS);
  };

  for (let loop = firstLoop; (timeline.loops === 0 || loop < timeline.loops) && !stopped(); loop += 1) {
    schedule.enterLoop(loop);
    editor.enterLoop(loop);
    share?.enterLoop();
    const [before, sentBefore] = [counts.read + counts.elsewhere, sentOf(counts)];
    const merge = new Merge(options.files(loop));
    let ended: LoopEnd;
    try {
      ended = await feedLoop(merge, schedule, editor, admission, options, { waitForRoom, giveTurn });
    } finally {
      counts.shortened = schedule.shortened;
      await merge.close();
    }
    if (ended === 'whole') counts.loops += 1;
    // A small set is ready when it is in the ring once, not when it fills it.
    sink.commit();
    onPrefilled();
    await giveTurn();
    // A share without a packet, or without one that goes out, has nothing to repeat.
    const isIdle =
      counts.read + counts.elsewhere === before || (timeline.loops === 0 && sentOf(counts) === sentBefore);
    if (isIdle || ended === 'enough') break;
  }
  sink.end();
  onPrefilled();
}

function sentOf({ read, refused }: FeedCounts): number {
  return read - Object.values(refused).reduce((sum, count) => sum + count, 0);
}

interface Pauses {
  readonly waitForRoom: () => Promise<void>;
  readonly giveTurn: () => Promise<void>;
}

/** `enough`: the run's limit is reached. */
type LoopEnd = 'whole' | 'stopped' | 'enough';

async function feedLoop(
  merge: Merge,
  schedule: Schedule,
  editor: FrameEditor,
  admission: Admission,
  { timeline, share = null, isOrdered = false, sink, counts, stopped }: FeedOptions,
  { waitForRoom, giveTurn }: Pauses,
): Promise<LoopEnd> {
  const isShared = share !== null;
  const most = timeline.limit ?? Number.POSITIVE_INFINITY;
  // From the current origin, which may stay as it is from loop to loop.
  const lastDue = (): number =>
    timeline.duration === null
      ? Number.POSITIVE_INFINITY
      : Number(BigInt(timeline.duration) - schedule.origin);
  let latestDue = lastDue();
  for (;;) {
    const reader = merge.next();
    if (reader === null) {
      // Reading may take a while: what is there must not wait for it.
      sink.commit();
      await giveTurn();
      if (stopped()) return 'stopped';
      if (!(await merge.settle())) return 'whole';
      continue;
    }
    // Where stamps run backwards, one that is still to come may lie inside.
    if (isOrdered && admission.isBehindWindow(merge)) return 'whole';
    if (admission.isOutside(merge)) continue;
    if (admission.counted >= most) return 'enough';
    const isOwn = admission.claims(reader, merge);
    // What another sensor leaves out takes no turn there, and has none here; by stamps its turn is what it is.
    if (isOwn || schedule.isRelative) {
      if (!admission.admits(merge)) continue;
      if (editor.edit(reader) !== null) {
        admission.refuse('link-type');
        continue;
      }
      if (!admission.passes(editor)) continue;
    }
    // From here on the frame is what goes out.
    const whole = isOwn ? admission.lengthOf(editor, merge.path) : null;
    if (whole === null && !isShared) continue;
    const { segments } = admission;
    const bytes = segments?.bytes ?? editor.bytes;
    const start = segments ? 0 : editor.start;
    let isPlaced = false;
    // Segments have one stamp; a rate counts each. What an interface makes of a frame is not known to other sensors: of a
    // set that is shared by flow each has one turn, whole.
    do {
      const length = segments?.length ?? whole;
      const turn = isShared ? editor.length : (length ?? 0);
      if (!(isShared && isPlaced) && schedule.place(merge.seconds, merge.nanos, turn)) {
        latestDue = lastDue();
        while (!sink.origin(schedule.origin)) {
          await waitForRoom();
          if (stopped()) return 'stopped';
        }
      }
      const { due } = schedule;
      if (due > latestDue) return 'enough';
      isPlaced = true;
      if (length === null) break;
      while (!sink.frame(due, bytes, start, length)) {
        await waitForRoom();
        if (stopped()) return 'stopped';
      }
      counts.read += 1;
      if (segments) admission.countSegment();
    } while ((isShared || counts.read < most) && segments?.next());
    if (!isOwn) admission.passOver();
  }
}
