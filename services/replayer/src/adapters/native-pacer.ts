// The native pacing core as a Pacer.
import type { ErrorCode } from '@capfleet/shared/errors/codes';
import { Failure, errnoOf, reasonOf } from '@capfleet/shared/errors/failure';
import {
  HISTOGRAM_BUCKETS,
  loadNative,
  PACER_STATE,
  STAT,
  STAT_COUNT,
  type NativeBinding,
} from '../native/binding.ts';
import type { Pacer, PacerCounts } from '../ports/pacer.ts';
import { interfaceOf, linkName, type LinkChoice } from '../link.ts';
import { plainPacing, type PacingOptions } from '../pacing-options.ts';

/** Read-ahead of a sensor, bytes. */
const RING_BYTES = 32 * 1024 * 1024;
const MAX_BATCH = 64;

/** @throws Failure `native-missing` */
export function requireNative(): NativeBinding {
  const native = loadNative();
  if (!native) throw new Failure('native-missing');
  return native;
}

/** Those that the native core has; the pacer of `pcap` is pcap-pacer. */
type NativeLink = Exclude<LinkChoice, { readonly kind: 'pcap' }>;

/**
 * @throws Failure `native-missing`, `raw-socket-forbidden`, `interface-missing`, `interface-down`, `link-failed`,
 *   `link-file-kind`, `realtime-forbidden`, `cpu-unavailable`
 */
export function openNativePacer(link: NativeLink, pacing: PacingOptions = plainPacing): Pacer {
  const native = requireNative();
  if (pacing.realtime === true && !native.realtimeAllowed()) throw new Failure('realtime-forbidden');
  const handle = create(native, link, pacing);
  const stats = new BigInt64Array(STAT_COUNT);
  const stat = (index: number): bigint => stats[index] ?? 0n;
  const count = (index: number): number => Number(stat(index));
  /** Upper ends of the histogram's buckets, ns, which never change. */
  let bucketBounds: number[] | null = null;
  return {
    memory: native.ring(handle),
    commit: (head) => native.commit(handle, head),
    end: () => {
      native.end(handle);
    },
    start: (t0) => {
      native.start(handle, t0);
    },
    stop: () => {
      native.stop(handle);
    },
    pause: () => {
      native.pause(handle);
    },
    resume: () => {
      native.resume(handle);
    },
    steer: ({ since, at, shift }) => {
      native.steer(handle, since, at, shift);
    },
    lease: (until) => {
      native.lease(handle, until);
    },
    join: (from) => {
      native.join(handle, from);
    },
    counts(): PacerCounts {
      native.stats(handle, stats);
      const sent = count(STAT.sentPackets);
      return {
        state: stateNames[count(STAT.state)] ?? 'failed',
        failure: count(STAT.failureErrno),
        sent,
        sentBytes: count(STAT.sentBytes),
        refused: {
          oversize: count(STAT.refusedOversize),
          'no-buffers': count(STAT.refusedNoBuffers),
          'link-down': count(STAT.refusedLinkDown),
          late: count(STAT.lateDropped),
          other: count(STAT.refusedOther),
        },
        first: sent > 0 ? { due: stat(STAT.firstDue), sent: stat(STAT.firstSent) } : null,
        last: sent > 0 ? { due: stat(STAT.lastDue), sent: stat(STAT.lastSent) } : null,
        starved: count(STAT.starvedPackets),
        pacing: {
          realtime: count(STAT.realtime) === 1,
          yielded: count(STAT.yielded),
          margin: stat(STAT.marginNs),
          cpu: stat(STAT.cpuNs),
          preempted: count(STAT.preempted),
          lockedBytes: count(STAT.lockedBytes),
        },
        pauses: { count: count(STAT.pauses), total: stat(STAT.pausedNs) },
        lapses: count(STAT.lapses),
        departures: { asked: count(STAT.stampsAsked), taken: count(STAT.stampsTaken) },
      };
    },
    latenessQuantiles(shares) {
      const buckets = new BigInt64Array(HISTOGRAM_BUCKETS);
      const samples = native.histogram(handle, buckets);
      if (samples === 0) return null;
      native.stats(handle, stats);
      const longest = stat(STAT.latenessMax);
      return shares.map((share) => quantile(native, buckets, Math.ceil(share * samples), longest));
    },
    latenessSpread(bounds) {
      const buckets = new BigInt64Array(HISTOGRAM_BUCKETS);
      const samples = native.histogram(handle, buckets);
      native.stats(handle, stats);
      bucketBounds ??= Array.from(buckets, (_, bucket) => native.histogramUpperBound(bucket));
      let [bucket, seen] = [0, 0];
      const upTo = bounds.map((bound) => {
        for (; (bucketBounds?.[bucket] ?? Infinity) <= bound; bucket += 1) seen += Number(buckets[bucket]);
        return seen;
      });
      return { count: samples, upTo, sum: count(STAT.latenessSum) };
    },
    departureQuantiles(shares) {
      const buckets = new BigInt64Array(HISTOGRAM_BUCKETS);
      const samples = native.departures(handle, buckets);
      if (samples === 0) return null;
      native.stats(handle, stats);
      const longest = stat(STAT.stampsMax);
      return shares.map((share) => quantile(native, buckets, Math.ceil(share * samples), longest));
    },
    close: () => {
      native.close(handle);
    },
  };
}

const stateNames: Readonly<Record<number, PacerCounts['state']>> = Object.fromEntries(
  Object.entries(PACER_STATE).map(([name, value]) => [value, name as PacerCounts['state']]),
);

/** Upper bound of the bucket that holds the sample of that rank, at most the exact maximum. */
function quantile(native: NativeBinding, buckets: BigInt64Array, rank: number, longest: bigint): bigint {
  let seen = 0;
  for (const [bucket, count] of buckets.entries()) {
    seen += Number(count);
    if (seen < rank) continue;
    const bound = BigInt(native.histogramUpperBound(bucket));
    return bound < longest ? bound : longest;
  }
  return longest;
}

function create(
  native: NativeBinding,
  link: NativeLink,
  pacing: PacingOptions,
): ReturnType<NativeBinding['createPacer']> {
  try {
    return native.createPacer({
      link: link.kind,
      interface: interfaceOf(link) ?? '',
      qdiscBypass: true,
      path: link.kind === 'file' ? link.path : '',
      linkType: 1,
      ringBytes: RING_BYTES,
      spin: pacing.spin,
      realtime: pacing.realtime ?? true,
      cpu: pacing.cpu ?? -1,
      lockMemory: true,
      txStamps: pacing.txStamps,
      lateDropNs: 0,
      maxBatch: MAX_BATCH,
    });
  } catch (error) {
    const name = link.kind === 'file' ? link.path : linkName(link);
    const fields = { interface: name, path: name, reason: reasonOf(error), known: '' };
    if (pacing.cpu !== null && syscallOf(error) === 'sched_setaffinity') {
      throw new Failure(
        'cpu-unavailable',
        { cpu: pacing.cpu, reason: 'there is none, or this process may not use it' },
        { cause: error },
      );
    }
    throw new Failure(codeOf(link.kind, errnoOf(error)), fields, { cause: error });
  }
}

function codeOf(kind: NativeLink['kind'], errno: string | undefined): ErrorCode {
  if (kind === 'file') return errno === 'ENXIO' || errno === 'EISDIR' ? 'link-file-kind' : 'link-failed';
  if (errno === 'EPERM' || errno === 'EACCES') return 'raw-socket-forbidden';
  return errno === 'ENETDOWN' ? 'interface-down' : 'link-failed';
}

function syscallOf(error: unknown): string {
  return error instanceof Error && 'syscall' in error ? String(error.syscall) : '';
}
