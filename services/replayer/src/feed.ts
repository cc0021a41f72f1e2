// Feeds a pacer: reads all files in merged order, computes when each packet is due, writes it into the ring, as far
// ahead as the ring has room. Knows no clock: everything it computes is relative to the run's start.
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { Timeline } from '@capfleet/shared/time/timeline';
import { Merge, type MergeFile } from './merge.ts';
import type { Pacer } from './ports/pacer.ts';
import { LINKTYPE_ETHERNET } from './prepare.ts';
import { RingWriter } from './ring-writer.ts';

/** Pause while the ring is full; it holds far more than is sent in that time. */
const FULL_PAUSE_MS = 2;

export interface FeedCounts {
  /** Packets read and due in this run. */
  read: number;
  backwards: number;
  /** Of those read, packets of another link type than Ethernet; they are not written. */
  otherLinkType: number;
  /** Loops wholly read. */
  loops: number;
}

export interface FeedOptions {
  readonly timeline: RunTimeline;
  /** In the order of the plan; asked again for each loop. */
  readonly files: () => readonly MergeFile[];
  readonly pacer: Pacer;
  readonly counts: FeedCounts;
  /** Called once when the ring is full for the first time, holds many loops or all is read: the run can start. */
  readonly onPrefilled: () => void;
  readonly stopped: () => boolean;
}

/** Resolves when all is written, or when stopped. */
export async function feed(options: FeedOptions): Promise<void> {
  const { timeline: plan, counts, stopped } = options;
  const speed = parseRational(plan.speed);
  if (!speed) throw new RangeError(`no ratio: ${plan.speed}`);
  const timeline = new Timeline(BigInt(plan.base), BigInt(plan.period), speed);
  const ring = new RingWriter(options.pacer);
  let prefilled = false;
  const onPrefilled = (): void => {
    if (prefilled) return;
    prefilled = true;
    options.onPrefilled();
  };
  const waitForRoom = async (): Promise<void> => {
    ring.commit();
    onPrefilled();
    await sleep(FULL_PAUSE_MS);
  };

  for (let loop = 0; (plan.loops === 0 || loop < plan.loops) && !stopped(); loop += 1) {
    timeline.enterLoop(loop);
    const before = counts.read;
    const merge = new Merge(options.files());
    try {
      await feedLoop(merge, timeline, ring, counts, stopped, waitForRoom);
    } finally {
      counts.backwards += merge.backwards;
      await merge.close();
    }
    if (!stopped()) counts.loops += 1;
    // A small set is ready when it is in the ring once, not when it fills it.
    ring.commit();
    onPrefilled();
    // A share without a packet has nothing to repeat.
    if (counts.read === before) break;
  }
  ring.commit();
  options.pacer.end();
  onPrefilled();
}

async function feedLoop(
  merge: Merge,
  timeline: Timeline,
  ring: RingWriter,
  counts: FeedCounts,
  stopped: () => boolean,
  waitForRoom: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const reader = merge.next();
    if (reader === null) {
      // Reading may take a while: what is there must not wait for it.
      ring.commit();
      if (stopped() || !(await merge.settle())) return;
      continue;
    }
    if (reader.linkType !== LINKTYPE_ETHERNET) {
      counts.read += 1;
      counts.otherLinkType += 1;
      continue;
    }
    const { seconds } = merge;
    if (timeline.locate(seconds)) {
      while (!ring.origin(timeline.origin)) {
        await waitForRoom();
        if (stopped()) return;
      }
    }
    const due = timeline.due(seconds, merge.nanos);
    while (!ring.frame(due, reader.window, reader.dataStart, reader.capturedLength)) {
      await waitForRoom();
      if (stopped()) return;
    }
    counts.read += 1;
  }
}
