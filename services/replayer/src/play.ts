// One play as its agent sees it: a thread that has opened its link and filled its ring, waits for its start,
// and tells how it goes. All instants are CLOCK_MONOTONIC.
import type { PlayResult, RefusalCause } from '@capfleet/shared/contract/report';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure, type FailureRecord } from '@capfleet/shared/errors/failure';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import type { S3Requests } from '@capfleet/shared/source/s3/s3-requests';
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { LinkChoice } from './link.ts';
import { startPlayHost } from './play-host.ts';
import type { PacingOptions } from './pacing-options.ts';
import type { LatenessSpread } from './ports/pacer.ts';
import type { Course } from './slew.ts';

/** What the thread knows of its play; the agent adds what it knows of clocks. */
export type PlayOutcome = Omit<PlayResult, 'clock' | 'clockAfter' | 'clockCourse'>;

export interface PlayProgress {
  readonly sent: number;
  readonly sentBytes: number;
  readonly refused: number;
  readonly refusedBy: Readonly<Partial<Record<RefusalCause, number>>>;
  /** As in the result. */
  readonly starved: number;
  /** As in the result, of what is sent so far. */
  readonly lateness: PlayResult['lateness'];
  /** By LATENESS_BOUNDS; null where nothing is due at any time. */
  readonly latenessSpread: LatenessSpread | null;
  /** Bytes that wait in the ring, of how many. */
  readonly ring: { readonly filled: number; readonly size: number };
  readonly lastDue: string | null;
  readonly loops: number;
  /** What its files and their reading ahead asked of S3. */
  readonly s3: S3Requests;
}

export const noProgress: PlayProgress = {
  sent: 0,
  sentBytes: 0,
  refused: 0,
  refusedBy: {},
  starved: 0,
  lateness: null,
  latenessSpread: null,
  ring: { filled: 0, size: 0 },
  lastDue: null,
  loops: 0,
  s3: [],
};

export type ToPlayThread =
  | { readonly type: 'start'; readonly at: string; readonly from: string | null }
  | { readonly type: 'steer'; readonly since: string; readonly at: string; readonly shift: string }
  | { readonly type: 'lease'; readonly until: string }
  | { readonly type: 'stop' | 'pause' | 'resume' };

export type FromPlayThread =
  | { readonly type: 'prepared' }
  | ({ readonly type: 'progress' } & PlayProgress)
  | { readonly type: 'ended'; readonly outcome: PlayOutcome }
  | { readonly type: 'failed'; readonly error: FailureRecord };

export interface Play {
  /**
   * Starts at the instant; the first frame goes out no earlier.
   * @param from what is due before it is left out, where the instant has passed; null: nothing is
   */
  start(at: Nanos, from: Nanos | null): void;
  /** Ends the play within 50 ms; `ended` resolves with what was done. */
  stop(): void;
  /** Sends nothing more until resume(), which moves all that comes after by exactly the time between. */
  pause(): void;
  resume(): void;
  /** Has due times head evenly for a shift of `shift` ns at the instant `at`. */
  steer(course: Course): void;
  /** Sends nothing from the instant on, until a later one is given; what was due in between is left out. */
  lease(until: Nanos): void;
  readonly progress: PlayProgress;
  /** Rejects where the thread itself failed, and with the reason of a signal that gave it up; the link is free then. */
  readonly ended: Promise<PlayOutcome>;
}

/** What a play's thread is given. */
export interface PlayData {
  readonly plan: SensorPlan;
  readonly link: LinkChoice;
  /** Of the link's interface; null where any frame goes. */
  readonly mtu: number | null;
  readonly s3: S3Options;
  readonly pacing: PacingOptions;
  /** Files that are over by this place in the run are not read, ns after its start; 0: all are. */
  readonly joinAt: Nanos;
}

/**
 * Opens and fills.
 * @param signal aborted before the start: the play ends where it stands, and tells nothing more
 * @throws PlayFailed, Failure `internal`; the signal's reason, once the link is free
 */
export async function preparePlay(data: PlayData, signal: AbortSignal): Promise<Play> {
  signal.throwIfAborted();
  const thread = startPlayHost(data);
  signal.addEventListener('abort', thread.end, { once: true });
  let progress = noProgress;
  let onPrepared: () => void = () => undefined;
  const prepared = new Promise<void>((resolve) => (onPrepared = resolve));
  const ended = new Promise<PlayOutcome>((resolve, reject) => {
    thread.listen({
      said: (word) => {
        const message = word as FromPlayThread;
        switch (message.type) {
          case 'prepared':
            onPrepared();
            return;
          case 'progress':
            progress = message;
            return;
          case 'ended':
            resolve(message.outcome);
            return;
          case 'failed':
            reject(new PlayFailed(message.error));
        }
      },
      failed: (reason, cause) => {
        reject(signal.aborted ? (signal.reason as Error) : new Failure('internal', { reason }, { cause }));
      },
    });
  });
  await Promise.race([prepared, ended]);
  const send = (message: ToPlayThread): void => {
    thread.say(message);
  };
  return {
    start: (at, from) => {
      send({ type: 'start', at: String(at), from: from === null ? null : String(from) });
    },
    stop: () => {
      send({ type: 'stop' });
    },
    pause: () => {
      thread.say({ type: 'pause' });
    },
    resume: () => {
      thread.say({ type: 'resume' });
    },
    lease: (until) => {
      send({ type: 'lease', until: String(until) });
    },
    steer: ({ since, at, shift }) => {
      send({ type: 'steer', since: String(since), at: String(at), shift: String(shift) });
    },
    get progress() {
      return progress;
    },
    ended,
  };
}

/** A failure that came out of the thread as a record. */
export class PlayFailed extends Error {
  readonly record: FailureRecord;

  constructor(record: FailureRecord) {
    super(record.message);
    this.record = record;
  }
}
