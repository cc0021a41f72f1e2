// The port to what sends at the right instant. Frames go in through shared memory as records (see ring-writer);
// the pacer sends each when it is due and counts what became of it.
import type { RefusalCause } from '@capfleet/shared/contract/report';
import type { Course } from '../slew.ts';
import type { Nanos } from '@capfleet/shared/time/nanos';

/** How the pacing itself did. */
export interface Pacing {
  /** In the real-time class at the last look. */
  readonly realtime: boolean;
  /** Times it left that class because it hardly slept. */
  readonly yielded: number;
  /** ns before a due time at which sleeping turns into spinning. */
  readonly margin: Nanos;
  /** CPU time of the pacing thread, ns. */
  readonly cpu: Nanos;
  /** Times it lost its processor to another thread; known at the end. */
  readonly preempted: number;
  /** Memory that cannot be paged out. */
  readonly lockedBytes: number;
}

export interface PacerCounts {
  readonly state: 'idle' | 'running' | 'done' | 'stopped' | 'failed';
  /** errno of the state failed. */
  readonly failure: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** By cause; the others are decided before a frame is written. */
  readonly refused: Readonly<
    Record<Exclude<RefusalCause, 'stopped' | 'link-type' | 'backwards' | 'filtered'>, number>
  >;
  /** CLOCK_MONOTONIC, of the first and last frame sent; null before. */
  readonly first: { readonly due: Nanos; readonly sent: Nanos } | null;
  readonly last: { readonly due: Nanos; readonly sent: Nanos } | null;
  readonly starved: number;
  readonly pacing: Pacing;
  /** Pauses that are over, and by how much what came after them is due later in all. */
  readonly pauses: { readonly count: number; readonly total: Nanos };
  /** Times that the lease ended. */
  readonly lapses: number;
  /** Sent packets that asked the kernel when they leave, and the answers. */
  readonly departures: { readonly asked: number; readonly taken: number };
}

/** How late sent frames were, for whoever adds up several plays. */
export interface LatenessSpread {
  readonly count: number;
  /** Frames that were late by no more than each of the bounds that were asked for. */
  readonly upTo: readonly number[];
  /** Of all frames together, ns. */
  readonly sum: number;
}

export interface Pacer {
  readonly memory: ArrayBuffer;
  /** Publishes all records below `head` (bytes ever written); returns the bytes ever consumed. */
  commit(head: number): number;
  /** Nothing comes after what is committed. */
  end(): void;
  /** Sends from `t0` (CLOCK_MONOTONIC) on; nothing goes out before. */
  start(t0: Nanos): void;
  /** Sends nothing more within 50 ms. Final. */
  stop(): void;
  /** Sends nothing that is due from now on, until resume(). */
  pause(): void;
  /** Goes on soon; what was not sent is due later by exactly the time that the timeline stood still. */
  resume(): void;
  /**
   * Moves due times evenly from the instant `since` on, by as much as `shift` ns at the instant `at`, and goes on so: what
   * the common clock of several hosts drifts by is followed without a jump.
   */
  steer(course: Course): void;
  /**
   * Sends nothing from the instant on (CLOCK_MONOTONIC), until a later one is given; without end before the first call.
   * What was due in between is dropped and counted as late: the play goes on where it should be by then.
   */
  lease(until: Nanos): void;
  /** Before the start: joins a play that others began. What is due before the instant is dropped and counted as late. */
  join(from: Nanos): void;
  counts(): PacerCounts;
  /** Lateness below which the given share (0 … 1) of all sent frames lie, ns; null where none was sent. */
  latenessQuantiles(shares: readonly number[]): Nanos[] | null;
  /** @param bounds ns, rising; a frame near one may count as above it, by the width of the pacer's own buckets */
  latenessSpread(bounds: readonly number[]): LatenessSpread;
  /** Quantiles of the times at which packets left by the kernel's word; null where it told none. */
  departureQuantiles(shares: readonly number[]): Nanos[] | null;
  close(): void;
}
