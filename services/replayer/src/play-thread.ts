// The thread of one play: owns the pacer and feeds it. Talks to its parent by messages only (see play.ts).
import { setTimeout as sleep } from 'node:timers/promises';
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { fileRate, isOrdered } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { RefusalCause } from '@capfleet/shared/contract/report';
import { trustAsParent } from '@capfleet/shared/config/trusted-cas';
import { countS3Requests } from '@capfleet/shared/source/s3/s3-requests';
import { sources } from '@capfleet/shared/source/sources';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { openNativePacer } from './adapters/native-pacer.ts';
import { openPcapPacer } from './adapters/pcap-pacer.ts';
import { emptyFeedCounts, type FeedCounts } from './feed-counts.ts';
import { feed } from './feed.ts';
import { plannedFiles, type FileError } from './merge-file.ts';
import { linkName } from './link.ts';
import { LATENESS_BOUNDS } from './meters.ts';
import type { FromPlayThread, PlayOutcome, ToPlayThread } from './play.ts';
import { openPlayPort } from './play-port.ts';
import type { Pacer, PacerCounts } from './ports/pacer.ts';
import { preload } from './preload.ts';
import { RingWriter } from './ring-writer.ts';
import { whatIsAhead } from './what-is-ahead.ts';
import { watchSurroundings, type Surroundings } from './surroundings.ts';
import { warningsOf } from './warnings.ts';

const PROGRESS_INTERVAL_MS = 250;
const DRAIN_PAUSE_MS = 5;
/** What a file needs of its bytes in this time is read ahead, where its source does that. */
const READ_AHEAD_SECONDS = 8;
/** Of packets, whose lateness is told. */
const SHARES = [0.5, 0.9, 0.99, 0.999, 1];

trustAsParent();
const port = await openPlayPort();
const { plan, link, mtu, s3, pacing: asked, joinAt } = port.data;
/** Without waiting nothing is late. */
const isTimed = plan.timeline.pace.kind !== 'top';
const askedOfS3 = countS3Requests();
const disk = sources(s3, askedOfS3.watch);
const say = (message: FromPlayThread): void => {
  port.say(message);
};

try {
  await play();
} catch (thrown) {
  say({ type: 'failed', error: asFailure(thrown).toRecord() });
} finally {
  port.close();
}

async function play(): Promise<void> {
  const { preload: limit } = plan.policies;
  const source = limit === null ? disk : await preload(plan.files, disk, limit);
  const pacer = link.kind === 'pcap' ? openPcapPacer(link.interface, asked) : openNativePacer(link, asked);
  let lookAgain = null as ReturnType<typeof watchSurroundings> | null;
  const counts = emptyFeedCounts();
  const fileErrors: FileError[] = [];
  let stopped = false;
  let started: () => void = () => undefined;
  const starting = new Promise<void>((resolve) => (started = resolve));
  port.listen((message: ToPlayThread) => {
    switch (message.type) {
      case 'start':
        lookAgain = watchSurroundings(link, asked.cpu);
        if (message.from !== null) pacer.join(BigInt(message.from));
        pacer.start(BigInt(message.at));
        break;
      case 'stop':
        stopped = true;
        pacer.stop();
        break;
      case 'pause':
        pacer.pause();
        return;
      case 'resume':
        pacer.resume();
        return;
      case 'lease':
        pacer.lease(BigInt(message.until));
        return;
      case 'steer':
        pacer.steer({
          since: BigInt(message.since),
          at: BigInt(message.at),
          shift: BigInt(message.shift),
        });
        return;
    }
    started();
  });
  const ring = new RingWriter(pacer);
  const tellProgress = (): void => {
    const { state, sent, sentBytes, refused, last, starved } = pacer.counts();
    const refusedBy = refusals(refused, counts);
    const isAtWork = state === 'idle' || state === 'running';
    say({
      type: 'progress',
      sent,
      sentBytes,
      refused: total(refusedBy),
      refusedBy,
      starved,
      lateness: latenessSoFar(pacer),
      latenessSpread: isTimed ? pacer.latenessSpread(LATENESS_BOUNDS) : null,
      ring: isAtWork ? ring.fill() : { filled: 0, size: pacer.memory.byteLength },
      lastDue: last ? String(last.due) : null,
      loops: counts.loops,
      s3: askedOfS3.counts(),
    });
  };
  const progress = setInterval(tellProgress, PROGRESS_INTERVAL_MS);
  const { loop: firstLoop, files: ahead } = whatIsAhead(plan, joinAt);
  try {
    await feed({
      timeline: plan.timeline,
      policies: plan.policies,
      isOrdered: isOrdered(plan),
      share: plan.share ?? null,
      edits: plan.edits,
      mtu,
      filter: plan.filter ? new BpfFilter(plan.filter.program) : null,
      firstLoop,
      files: (loop) =>
        plannedFiles(
          { ...plan, files: loop === firstLoop ? ahead : plan.files },
          source,
          (file) => Math.ceil(fileRate(file, plan.timeline) * READ_AHEAD_SECONDS),
          fileErrors,
        ),
      sink: ring,
      counts,
      onPrefilled: () => {
        say({ type: 'prepared' });
      },
      stopped: () => stopped || pacer.counts().state === 'failed',
    });
    await starting;
    await drained(pacer);
    // Its counts stay; the interface's may take a while.
    pacer.close();
    tellProgress();
    const surroundings = lookAgain && (await lookAgain(pacer.counts().sent));
    say({ type: 'ended', outcome: outcomeOf(pacer, counts, fileErrors, surroundings) });
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

function latenessOf(quantiles: Nanos[] | null): PlayOutcome['lateness'] {
  if (!quantiles) return null;
  const [p50 = 0n, p90 = 0n, p99 = 0n, p999 = 0n, max = 0n] = quantiles;
  return { p50: String(p50), p90: String(p90), p99: String(p99), p999: String(p999), max: String(max) };
}

function latenessSoFar(pacer: Pacer): PlayOutcome['lateness'] {
  return isTimed ? latenessOf(pacer.latenessQuantiles(SHARES)) : null;
}

function outcomeOf(
  pacer: Pacer,
  counts: FeedCounts,
  files: PlayOutcome['files'],
  surroundings: Surroundings | null,
): PlayOutcome {
  const {
    state,
    failure,
    sent,
    sentBytes,
    refused,
    first,
    last,
    starved,
    pacing,
    pauses,
    lapses,
    departures,
  } = pacer.counts();
  const dealtWith = sent + total(refused) + total(counts.refused);
  const lateness = latenessSoFar(pacer);
  return {
    outcome: state === 'done' ? 'done' : state === 'stopped' ? 'stopped' : 'failed',
    error:
      state === 'failed'
        ? new Failure('link-failed', {
            interface: linkName(link),
            reason: `errno ${String(failure)}`,
          }).toRecord()
        : null,
    accounts: {
      read: counts.read,
      sent,
      sentBytes,
      refused: { ...refusals(refused, counts), stopped: counts.read - dealtWith },
      backwards: counts.backwards,
      reordered: counts.reordered,
      truncated: counts.truncated,
      segmented: counts.segmented,
      segments: counts.segments,
    },
    elsewhere: counts.elsewhere,
    paced: sent + total(refused),
    lateness,
    startError: first && String(first.sent - first.due),
    endDrift: isTimed && last ? String(last.sent - last.due) : null,
    firstSent: first && String(first.sent),
    lastSent: last && String(last.sent),
    loops: counts.loops,
    shortened: String(counts.shortened),
    firstOversize: counts.firstOversize,
    starved,
    pacing: {
      ...pacing,
      spin: asked.spin,
      processor: asked.cpu,
      margin: String(pacing.margin),
      cpu: String(pacing.cpu),
    },
    departures:
      asked.txStamps === 'off'
        ? null
        : { ...departures, lateness: isTimed ? latenessOf(pacer.departureQuantiles(SHARES)) : null },
    pauses: { count: pauses.count, total: String(pauses.total) },
    interfaceCounters: surroundings?.counters ?? null,
    warnings: warningsOf({
      lateness: lateness && { p99: BigInt(lateness.p99), max: BigInt(lateness.max) },
      governors: surroundings?.governors ?? [],
      stolen: surroundings?.stolen ?? 0,
      wantsRealtime: link.kind !== 'pcap' && asked.realtime !== false,
      realtime: pacing.realtime,
      yielded: pacing.yielded,
      preempted: pacing.preempted,
      starved,
      lapses,
    }),
    files: [...files],
  };
}

/** By the pacer and by the feed. */
function refusals(
  refused: PacerCounts['refused'],
  feed: FeedCounts,
): Record<Exclude<RefusalCause, 'stopped'>, number> {
  return { ...refused, ...feed.refused, oversize: refused.oversize + feed.refused.oversize };
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
