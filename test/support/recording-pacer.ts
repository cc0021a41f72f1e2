/**
 * A pacer that sends nothing and is never late: it reads records by the layout in native/binding.ts, as they are
 * committed or when it is told to, and keeps every frame with its due time. What it has read it overwrites, so that
 * nobody can live on old bytes. A record that breaks the layout fails it, as it fails the native one.
 */
import type { Pacer, PacerCounts } from '@capfleet/replayer/ports/pacer';
import { RECORD, RECORD_HEADER_BYTES } from '@capfleet/replayer/native/binding';

const EBADMSG = 74;
/** ns that every pause takes. */
const PAUSE = 20_000_000n;

export interface RecordedFrame {
  /** Nanoseconds after T0. */
  due: bigint;
  bytes: Buffer;
}

export interface RecordingPacerOptions {
  ringBytes?: number;
  /** Records taken after each commit of a started pacer; all when left out. */
  appetite?: number;
}

export interface RecordingPacer extends Pacer {
  readonly frames: readonly RecordedFrame[];
  /** Origin records among what was read. */
  readonly origins: readonly bigint[];
  readonly commits: number;
  readonly ended: boolean;
  /** Bytes committed so far. */
  readonly head: number;
  readonly closed: number;
  /** Takes up to so many records now, started or not; returns how many there were. */
  consume(records?: number): number;
}

export function recordingPacer(options: RecordingPacerOptions = {}): RecordingPacer {
  const { ringBytes = 64 * 1024, appetite = Infinity } = options;
  const memory = new ArrayBuffer(ringBytes);
  const view = new DataView(memory);
  const frames: RecordedFrame[] = [];
  const origins: bigint[] = [];
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  let state: PacerCounts['state'] = 'idle';
  let failure = 0;
  let t0 = 0n;
  let origin = 0n;
  let head = 0;
  let tail = 0;
  let sentBytes = 0;
  let commits = 0;
  let ended = false;
  let closed = 0;
  let isPaused = false;
  let pauses = 0;
  let shift = 0n;

  const fail = (): false => {
    state = 'failed';
    failure = EBADMSG;
    return false;
  };

  /** Takes one record; false where there is none. */
  const takeOne = (): boolean => {
    if (tail === head || state === 'failed') return false;
    const offset = tail % ringBytes;
    if (ringBytes - offset < RECORD_HEADER_BYTES) {
      tail += ringBytes - offset;
      return takeOne();
    }
    if (head - tail < RECORD_HEADER_BYTES) return fail();
    const length = view.getUint32(offset, little);
    const kind = view.getUint32(offset + 4, little);
    const due = view.getFloat64(offset + 8, little);
    if (kind === RECORD.filler) {
      if (tail + ringBytes - offset > head) return fail();
      tail += ringBytes - offset;
      return takeOne();
    }
    const size = RECORD_HEADER_BYTES + Math.ceil(length / 8) * 8;
    if (size > ringBytes - offset || size > head - tail) return fail();
    const payload = new Uint8Array(memory, offset + RECORD_HEADER_BYTES, length);
    if (kind === RECORD.frame && Number.isSafeInteger(due)) {
      frames.push({ due: origin + BigInt(due) + shift, bytes: Buffer.from(payload) });
      sentBytes += length;
    } else if (kind === RECORD.origin && length === 8) {
      origin = view.getBigInt64(offset + RECORD_HEADER_BYTES, little);
      origins.push(origin);
    } else return fail();
    new Uint8Array(memory, offset, size).fill(0xee);
    tail += size;
    return true;
  };

  const consume = (records = Infinity): number => {
    let taken = 0;
    while (taken < records && takeOne()) taken += 1;
    if (state === 'running' && ended && tail === head) state = 'done';
    return taken;
  };
  const work = (): void => {
    if (state === 'running' && !isPaused) consume(appetite);
  };

  const pacing = { realtime: false, yielded: 0, margin: 0n, cpu: 0n, preempted: 0, lockedBytes: 0 };
  const refused = { oversize: 0, 'no-buffers': 0, 'link-down': 0, late: 0, other: 0 };
  const instantOf = (frame: RecordedFrame | undefined): PacerCounts['first'] =>
    frame ? { due: t0 + frame.due, sent: t0 + frame.due } : null;

  return {
    memory,
    frames,
    origins,
    get commits() {
      return commits;
    },
    get ended() {
      return ended;
    },
    get head() {
      return head;
    },
    get closed() {
      return closed;
    },
    consume,
    commit(newHead) {
      commits += 1;
      if (!ended && state !== 'failed') {
        if (newHead < head || newHead - tail > ringBytes) fail();
        else head = newHead;
      }
      work();
      return tail;
    },
    end() {
      ended = true;
      work();
    },
    start(at) {
      if (state !== 'idle') return;
      t0 = at;
      state = 'running';
      work();
    },
    stop() {
      if (state === 'idle' || state === 'running') state = 'stopped';
    },
    pause() {
      isPaused = true;
    },
    resume() {
      if (!isPaused) return;
      isPaused = false;
      pauses += 1;
      shift += PAUSE;
      work();
    },
    steer: () => undefined,
    lease: () => undefined,
    join: () => undefined,
    counts: () => ({
      state,
      failure,
      sent: frames.length,
      sentBytes,
      refused,
      first: instantOf(frames[0]),
      last: instantOf(frames.at(-1)),
      starved: 0,
      pacing,
      pauses: { count: pauses, total: shift },
      lapses: 0,
      departures: { asked: 0, taken: 0 },
    }),
    departureQuantiles: () => null,
    latenessSpread: (bounds) => ({ count: frames.length, upTo: bounds.map(() => frames.length), sum: 0 }),
    latenessQuantiles: (shares) => (frames.length === 0 ? null : shares.map(() => 0n)),
    close() {
      closed += 1;
      if (state === 'idle' || state === 'running') state = 'stopped';
    },
  };
}
