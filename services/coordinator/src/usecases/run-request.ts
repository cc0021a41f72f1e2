// What is asked of whoever carries a run through, and what with.
import { MESSAGE_VERSION } from '@capfleet/shared/contract/agent-messages';
import type { ClockWish } from '@capfleet/shared/contract/reference-clock';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import type { RunState } from '../domain/run-state.ts';
import { checkStartAhead } from '../domain/start-time.ts';
import type { KeptRun, RunStore } from '../ports/run-store.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';

/** What a run is carried through with. */
export interface RunWorld {
  readonly channel: SensorChannel;
  readonly store: RunStore;
}

/** What is told of a run while it is carried through, and how it is ended. */
export interface RunWatch {
  /** Aborted: every sensor stops, and the report comes all the same. */
  readonly interrupted: AbortSignal;
  /** Aborted: the run is given back as it is, and its reason is thrown; another coordinator carries it on. */
  readonly leave?: AbortSignal;
  readonly onChange: (state: RunState) => void;
}

export interface RunSettings {
  readonly run: string;
  readonly plans: readonly SensorPlan[];
  readonly lead: Nanos;
  /** The start on the clock that is chosen, at least the lead from when all are ready; null: as soon as that. */
  readonly startAt: Nanos | null;
  readonly clock: ClockWish;
  readonly maxClockBound: Nanos;
  readonly sensorTimeoutMs: number;
  readonly prepareTimeoutMs: number;
  /** A sensor that another run has: that one's end is waited for, or this one is refused. */
  readonly whenBusy: 'wait' | 'refuse';
  /** Without a coordinator for so long the sensors stop; null: they play on. */
  readonly orphanTimeoutMs: number | null;
  /** A sensor that is lost while it plays may come back for so long; null: it stays out. */
  readonly rejoinMs: number | null;
}

export interface RunRequest extends RunSettings, RunWatch {}

/**
 * A run that nobody has begun, asked for at that instant of the Redis clock.
 * @throws Failure `start-past`
 */
export function newRun(settings: RunSettings, created: Nanos): KeptRun {
  const { run, plans, lead, startAt, clock, maxClockBound } = settings;
  const { sensorTimeoutMs, prepareTimeoutMs, whenBusy, orphanTimeoutMs, rejoinMs } = settings;
  checkStartAhead({ startAt, clock }, created, wallClock());
  return {
    plans,
    record: {
      v: MESSAGE_VERSION,
      run,
      created: String(created),
      sensors: plans.map(({ sensor }) => sensor),
      lead: String(lead),
      startAt: startAt === null ? null : String(startAt),
      clock,
      maxClockBound: String(maxClockBound),
      sensorTimeoutMs,
      prepareTimeoutMs,
      whenBusy,
      validUntil: null,
      orphanTimeoutMs,
      rejoinMs,
    },
  };
}

/** Now by the system clock of this host. */
export function wallClock(): Nanos {
  return BigInt(Date.now()) * MILLISECOND;
}
