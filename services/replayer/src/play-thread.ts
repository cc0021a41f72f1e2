// The worker thread of one play: owns the pacer and feeds it. Talks to its parent by messages only (see play.ts).
import { parentPort, workerData } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileRate } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { sources } from '@capfleet/shared/source/sources';
import { openNativePacer } from './adapters/native-pacer.ts';
import { emptyFeedCounts, type FeedCounts } from './feed-counts.ts';
import { feed } from './feed.ts';
import { mergeFileOf, type FileError } from './merge-file.ts';
import type { FromPlayThread, PlayData, PlayOutcome, ToPlayThread } from './play.ts';
import type { Pacer } from './ports/pacer.ts';
import { RingWriter } from './ring-writer.ts';

const PROGRESS_INTERVAL_MS = 250;
const DRAIN_PAUSE_MS = 5;
/** What a file needs of its bytes in this time is read ahead, where its source does that. */
const READ_AHEAD_SECONDS = 8;

if (!parentPort) throw new Error('play-thread runs as a worker thread');
const port = parentPort;
const { plan, link, mtu, s3 } = workerData as PlayData;
const source = sources(s3);
const say = (message: FromPlayThread): void => {
  port.postMessage(message);
};

try {
  await play();
} catch (thrown) {
  say({ type: 'failed', error: asFailure(thrown).toRecord() });
} finally {
  port.close();
}

async function play(): Promise<void> {
  const pacer = openNativePacer(link);
  const counts = emptyFeedCounts();
  const fileErrors: FileError[] = [];
  let stopped = false;
  let started: () => void = () => undefined;
  const starting = new Promise<void>((resolve) => (started = resolve));
  port.on('message', (message: ToPlayThread) => {
    if (message.type === 'start') pacer.start(BigInt(message.at));
    else {
      stopped = true;
      pacer.stop();
    }
    started();
  });
  const progress = setInterval(() => {
    const { sent, sentBytes, refused, last } = pacer.counts();
    const lost = total(refused) + total(counts.refused);
    say({
      type: 'progress',
      sent,
      sentBytes,
      refused: lost,
      lastDue: last ? String(last.due) : null,
      loops: counts.loops,
    });
  }, PROGRESS_INTERVAL_MS);
  try {
    await feed({
      timeline: plan.timeline,
      policies: plan.policies,
      edits: plan.edits,
      mtu,
      files: () =>
        plan.files.map((file) => {
          const ahead = Math.ceil(fileRate(file, plan.timeline) * READ_AHEAD_SECONDS);
          return mergeFileOf(file, source, ahead, fileErrors, plan.edits);
        }),
      sink: new RingWriter(pacer),
      counts,
      onPrefilled: () => {
        say({ type: 'prepared' });
      },
      stopped: () => stopped || pacer.counts().state === 'failed',
    });
    await starting;
    await drained(pacer);
    say({ type: 'ended', outcome: outcomeOf(pacer, counts, fileErrors) });
  } finally {
    clearInterval(progress);
    pacer.close();
  }
}

async function drained(pacer: Pacer): Promise<void> {
  for (;;) {
    const { state } = pacer.counts();
    if (state === 'done' || state === 'stopped' || state === 'failed') return;
    await sleep(DRAIN_PAUSE_MS);
  }
}

function outcomeOf(pacer: Pacer, counts: FeedCounts, files: PlayOutcome['files']): PlayOutcome {
  const { state, failure, sent, sentBytes, refused, first, last, starved, pacing } = pacer.counts();
  const dealtWith = sent + total(refused) + total(counts.refused);
  /** Without waiting nothing is late. */
  const isTimed = plan.timeline.pace.kind !== 'top';
  const quantiles = pacer.latenessQuantiles([0.5, 0.9, 0.99, 0.999, 1]);
  const [p50 = 0n, p90 = 0n, p99 = 0n, p999 = 0n, max = 0n] = quantiles ?? [];
  const name = link.kind === 'af_packet' ? link.interface : link.kind;
  return {
    outcome: state === 'done' ? 'done' : state === 'stopped' ? 'stopped' : 'failed',
    error:
      state === 'failed'
        ? new Failure('link-failed', { interface: name, reason: `errno ${String(failure)}` }).toRecord()
        : null,
    accounts: {
      read: counts.read,
      sent,
      sentBytes,
      refused: {
        ...refused,
        ...counts.refused,
        oversize: refused.oversize + counts.refused.oversize,
        stopped: counts.read - dealtWith,
      },
      backwards: counts.backwards,
      truncated: counts.truncated,
    },
    lateness:
      isTimed && quantiles
        ? {
            p50: String(p50),
            p90: String(p90),
            p99: String(p99),
            p999: String(p999),
            max: String(max),
          }
        : null,
    startError: first && String(first.sent - first.due),
    endDrift: isTimed && last ? String(last.sent - last.due) : null,
    firstSent: first && String(first.sent),
    lastSent: last && String(last.sent),
    loops: counts.loops,
    shortened: String(counts.shortened),
    firstOversize: counts.firstOversize,
    starved,
    pacing: { ...pacing, margin: String(pacing.margin), cpu: String(pacing.cpu) },
    files: [...files],
  };
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
