/**
 * The native pacing core, name for name: types, units and the errors it throws. It checks types and nothing else;
 * defaults and limits belong to the callers. Absent (not built) is `null`, so that what needs no pacing runs without.
 */
import { createRequire } from 'node:module';

declare const pacer: unique symbol;

/** Opaque; collecting it closes it. Belongs to the thread that made it. */
export interface PacerHandle {
  readonly [pacer]: never;
}

export interface PacerOptions {
  readonly link: 'af_packet' | 'af_xdp' | 'null' | 'file';
  /** af_packet, af_xdp; else ''. */
  readonly interface: string;
  /** af_packet: past the queueing discipline straight to the device (PACKET_QDISC_BYPASS). */
  readonly qdiscBypass: boolean;
  /** file: written anew as a nanosecond pcap; else ''. */
  readonly path: string;
  /** file: LINKTYPE_ of the pcap header. */
  readonly linkType: number;
  /** A power of two, 64 KiB to 1 GiB. */
  readonly ringBytes: number;
  /** Before a due time: only sleep; sleep, then spin for a margin that follows this host; spin for the widest margin. */
  readonly spin: 'none' | 'auto' | 'max';
  /** The pacing thread is real-time (SCHED_FIFO) where that is allowed, as long as it sleeps enough. */
  readonly realtime: boolean;
  /** The processor of the pacing thread, as /proc/cpuinfo counts; -1: whichever. One that it may not run on is EINVAL. */
  readonly cpu: number;
  /** Locks the ring's memory where that is allowed. */
  readonly lockMemory: boolean;
  /** Which frames ask the kernel when they leave, where the link can: none, about one in a millisecond, all. */
  readonly txStamps: 'off' | 'sample' | 'all';
  /** A frame later than this, in ns, is counted and not sent; 0: always sent. */
  readonly lateDropNs: number;
  /** Frames handed to the kernel at once, 1 to 64. */
  readonly maxBatch: number;
}

export interface InterfaceFacts {
  readonly index: number;
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** Has a carrier. */
  readonly running: boolean;
  readonly loopback: boolean;
  /** ARPHRD_; 1 is Ethernet. */
  readonly hardwareType: number;
  /** What arrives is merged into larger packets (GRO, LRO). */
  readonly merges: boolean;
}

/** adjtimex(2), read only. */
export interface ClockFacts {
  /** TIME_OK (0) to TIME_ERROR (5: not synchronized). */
  readonly state: number;
  /** STA_ bits. */
  readonly status: number;
  readonly maxErrorUs: number;
  readonly estimatedErrorUs: number;
  /** Seconds; 0 where nobody has set it. */
  readonly taiOffset: number;
}

/** CLOCK_REALTIME = CLOCK_MONOTONIC + offset, ± bound, ns. */
interface WallOffset {
  readonly offset: bigint;
  readonly bound: bigint;
}

/** What the system refused; a wrong type is a TypeError instead. @public */
export interface NativeError extends Error {
  /** Name of the errno: 'ENODEV', 'ENETDOWN', 'EPERM', 'ENOENT', … */
  readonly code: string;
  /** Negative, as in Node's own errors. */
  readonly errno: number;
  readonly syscall: string;
  /** From createPacer, where a link could not be opened. */
  readonly link?: PacerOptions['link'];
}

/**
 * The ring between the producer (TypeScript) and the pacing thread. Positions are bytes since the beginning, exact to
 * 2^53; the offset in memory is position mod ringBytes. Records are 8-byte aligned, in host byte order, never wrap:
 *
 *     +0  u32 length   bytes of payload after the 16-byte header
 *     +4  u32 kind     RECORD
 *     +8  f64 due      frame: ns after the current origin, an integer; else 0
 *     +16 payload, padded to a multiple of 8
 *
 * With fewer than 16 bytes left at the memory's end both sides go on at its start; with more, a filler says so. It may
 * be committed alone, and has to be before a record that needs more than what is free beside it.
 * A malformed record fails the pacer (EBADMSG).
 */
export const RECORD_HEADER_BYTES = 16;

export const RECORD = {
  /** Due at t0 + origin + due on CLOCK_MONOTONIC; in the past: at once. */
  frame: 0,
  /** Go on at the memory's start; length is ignored. */
  filler: 1,
  /** Payload: one int64, ns. The origin of the frames after it; 0 before the first. */
  origin: 2,
} as const;

/** The value of STAT.state. */
export const PACER_STATE = {
  idle: 0,
  running: 1,
  /** Every record consumed after end(). */
  done: 2,
  stopped: 3,
  /** STAT.failureErrno says why. */
  failed: 4,
} as const;

/**
 * Places in the array that stats() fills. Instants are CLOCK_MONOTONIC ns, durations ns. Lateness of a frame is the
 * clock right after the call that sent it (one reading for a batch) minus its due time: never flattering.
 */
export const STAT = {
  state: 0,
  sentPackets: 1,
  sentBytes: 2,
  /** EMSGSIZE. */
  refusedOversize: 3,
  /** ENOBUFS, EAGAIN or ENOMEM after a bounded wait. */
  refusedNoBuffers: 4,
  /** ENETDOWN, ENXIO or ENODEV; the timeline goes on, the interface may come back. */
  refusedLinkDown: 5,
  refusedOther: 6,
  lateDropped: 7,
  /** Sent, refused and dropped: always their sum. */
  consumedPackets: 8,
  /** Of the latest refused frame. */
  lastErrno: 9,
  /** Of the state failed. */
  failureErrno: 10,
  /** First and last of the frames sent; 0 before. */
  firstDue: 11,
  firstSent: 12,
  lastDue: 13,
  lastSent: 14,
  /** Exact, over the frames sent. */
  latenessMin: 15,
  latenessMax: 16,
  latenessSum: 17,
  /** Times that the ring was found empty while running and not ended. */
  starvedCount: 18,
  /** Frames overdue already when they appeared in a ring that had been empty: the feeder's lag, not the thread's. */
  starvedPackets: 19,
  /** Calls of the link. */
  batches: 20,
  /** How long before a due time sleeping turns into spinning, now. */
  marginNs: 21,
  /** CPU time of the pacing thread. */
  cpuNs: 22,
  /** 1 while the pacing thread is in the real-time class. */
  realtime: 23,
  /** Times that it left that class because it hardly slept. */
  yielded: 24,
  /** Times that the thread lost the processor to another; once it has ended. */
  preempted: 25,
  /** Of the ring, that can't be paged out. */
  lockedBytes: 26,
  pauses: 27,
  /** By which what came after pauses is due later. */
  pausedNs: 28,
  /** Times that the lease ended while the thread was running. */
  lapses: 29,
  /** Frames sent that asked the kernel when they leave; of those, how many are known; the largest stamp − due. */
  stampsAsked: 30,
  stampsTaken: 31,
  stampsMax: 32,
} as const;

export const STAT_COUNT = 33;

/** Log-linear: exact below 32 ns, then 32 buckets per octave to 2^42 ns; longer ones are in the last. */
export const HISTOGRAM_BUCKETS = 1216;

export interface NativeBinding {
  /** Opens the link and allocates the ring. Throws NativeError. Sends nothing before start(). */
  createPacer(options: PacerOptions): PacerHandle;
  /** The ring's memory, the same object each time; it outlives the handle as long as it is referenced. */
  ring(handle: PacerHandle): ArrayBuffer;
  /** Publishes all records below `head` (bytes ever written); returns the tail (bytes ever consumed). After end(): only the latter. */
  commit(handle: PacerHandle, head: number): number;
  /** Nothing comes after what is committed. */
  end(handle: PacerHandle): void;
  /** Starts the thread; `t0` is the run's origin, CLOCK_MONOTONIC ns. Throws EALREADY after a start; after a stop it does nothing. */
  start(handle: PacerHandle, t0: bigint): void;
  /** The thread ends within 50 ms; doesn't wait for it. Final and idempotent. */
  stop(handle: PacerHandle): void;
  /** Sends nothing that is due from now on, until resume(). Does nothing where it is paused. */
  pause(handle: PacerHandle): void;
  /** Goes on in 20 ms; what was not sent is due later by exactly the time from pause() until then. */
  resume(handle: PacerHandle): void;
  /** Moves due times evenly from `since` on, by as much as `shift` ns at the instant `at`, and goes on so. */
  steer(handle: PacerHandle, since: bigint, at: bigint, shift: bigint): void;
  /** Sends nothing from the instant on, until a later one is given; what was due in between is then dropped. */
  lease(handle: PacerHandle, until: bigint): void;
  /** Before the start: what is due before `from` is dropped. */
  join(handle: PacerHandle, from: bigint): void;
  /** Fills `out`, at least STAT_COUNT long, by STAT. At any time, also after close(). */
  stats(handle: PacerHandle, out: BigInt64Array): void;
  /** Fills `out`, at least HISTOGRAM_BUCKETS long, with counts of lateness; returns how many samples they are. */
  histogram(handle: PacerHandle, out: BigInt64Array): number;
  /** The same of stamp − due, of the frames whose departure is known. */
  departures(handle: PacerHandle, out: BigInt64Array): number;
  /** The largest ns that belongs to the bucket; -1 where there is no such bucket. */
  histogramUpperBound(bucket: number): number;
  /** Stops, waits for the thread (50 ms at most) and closes the link. Idempotent. */
  close(handle: PacerHandle): void;
  /** In the network namespace of this thread. Throws NativeError, ENODEV where there is no such interface. */
  interfaceFacts(name: string): InterfaceFacts;
  clockFacts(): ClockFacts;
  /** From the quickest of so many readings, at least one. */
  wallOffset(readings: number): WallOffset;
  /**
   * A filter expression in libpcap's syntax, compiled for Ethernet frames: code, jt, jf and k of each instruction, one
   * behind the other. May ask name servers. Throws an Error with the code 'BPF_INVALID' and libpcap's own words, or
   * 'BPF_NO_LIBPCAP'.
   */
  compileFilter(expression: string): number[];
  /** CLOCK_MONOTONIC, ns. */
  monotonicNow(): bigint;
  /** Whether a thread of this process may be in the real-time class. */
  realtimeAllowed(): boolean;
}

/** Where node-gyp puts it, seen from src/native and dist/native alike. */
const BUILT = '../../native/build/Release/capfleet_pacer.node';

/** `null` if it is not built; one that is built and can't be loaded throws. */
export function loadNative(): NativeBinding | null {
  const require = createRequire(import.meta.url);
  try {
    return require(BUILT) as NativeBinding;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}
