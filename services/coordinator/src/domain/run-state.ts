// A run as the coordinator sees it, as a pure state machine: (state, event) → state and effects. It is a barrier: it
// commits a start only when every sensor is ready, confirms it when every sensor has acknowledged, takes it back where one
// has not or is gone before the start, and then only listens. No sensor is ever told "go"; one that hears of a start and
// not that it is confirmed stays out.
//
//   preparing ─all ready→ committing ─all acknowledged→ armed ─start passed→ playing ─all done→ ended
//   preparing, committing, armed ─refused / lost / deadline / stop→ ended (cancelled)
//   playing ─stop→ stopping ─all done, or deadline→ ended
//
// A sensor that is lost while it plays is out, or, where that is allowed, away: back by itself, or as another agent at
// the same place, which is prepared anew and joins where the timeline is by then; or gone after a while.
import type { FromSensor, SensorProgress } from '@capfleet/shared/contract/agent-messages';
import type { ReferenceName } from '@capfleet/shared/contract/reference-clock';
import type { ClockFacts, PlayResult } from '@capfleet/shared/contract/report';
import { Failure, type FailureRecord } from '@capfleet/shared/errors/failure';
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { ChosenClock } from './reference-clock.ts';

export type Phase = 'preparing' | 'committing' | 'armed' | 'playing' | 'stopping' | 'ended';

export interface SensorState {
  /** Counts the attempts to prepare it; what is said of another one is passed over. */
  readonly epoch: number;
  readonly ready: {
    readonly interface: string;
    readonly link: string;
    readonly place: string;
    readonly clock: ClockFacts;
  } | null;
  readonly acknowledged: boolean;
  readonly progress: SensorProgress | null;
  readonly result: PlayResult | null;
  readonly error: FailureRecord | null;
  /** Lost, and may come back. */
  readonly isAway: boolean;
  /** What was heard last of the agents that were replaced. */
  readonly before: readonly Pick<SensorProgress, 'sent' | 'position'>[];
}

export interface RunState {
  readonly phase: Phase;
  /** Whether a sensor that is lost while it plays may come back. */
  readonly rejoins: boolean;
  readonly start: Nanos | null;
  /** The clock of the start; null until it is decided. */
  readonly clock: ChosenClock | null;
  /** Why the run was cancelled before its start. */
  readonly cancelled: string | null;
  /** Why no start could be decided, where that is the reason. */
  readonly startRefused: FailureRecord | null;
  readonly stopAsked: boolean;
  readonly sensors: ReadonlyMap<string, SensorState>;
}

export type RunEvent =
  | { readonly type: 'said'; readonly message: FromSensor }
  /** The start that was decided after all were ready. */
  | { readonly type: 'start-decided'; readonly start: Nanos; readonly clock: ChosenClock }
  | { readonly type: 'start-refused'; readonly error: FailureRecord }
  /** The start has passed. */
  | { readonly type: 'started' }
  /** The deadline of the phase has passed. */
  | { readonly type: 'deadline'; readonly seconds: number }
  /** The agent's registration is gone or belongs to another instance. */
  | { readonly type: 'lost'; readonly sensor: string }
  /** It is there again, and plays on. */
  | { readonly type: 'found'; readonly sensor: string }
  /** Another agent is at its place. */
  | { readonly type: 'returned'; readonly sensor: string }
  /** It was away for too long. */
  | { readonly type: 'gone'; readonly sensor: string }
  | { readonly type: 'stop-asked' };

export type RunEffect =
  /** All are ready: decide the start; answered by `start-decided` or `start-refused`. */
  | { readonly do: 'decide-start' }
  | { readonly do: 'commit'; readonly epoch: number; readonly start: Nanos; readonly clock: ReferenceName }
  /** Hands the sensor its plan again, to join a run that started at that instant. */
  | {
      readonly do: 'prepare';
      readonly sensor: string;
      readonly epoch: number;
      readonly startedAt: { readonly start: Nanos; readonly clock: ReferenceName };
    }
  /** All know the start. */
  | { readonly do: 'confirm' }
  | { readonly do: 'cancel'; readonly reason: string }
  | { readonly do: 'stop' };

export interface RunStep {
  readonly state: RunState;
  readonly effects: readonly RunEffect[];
}

export const FIRST_EPOCH = 1;
const fresh: SensorState = {
  epoch: FIRST_EPOCH,
  ready: null,
  acknowledged: false,
  progress: null,
  result: null,
  error: null,
  isAway: false,
  before: [],
};

export function beginRun(sensors: readonly string[], rejoins: boolean): RunState {
  return {
    phase: 'preparing',
    rejoins,
    start: null,
    clock: null,
    cancelled: null,
    startRefused: null,
    stopAsked: false,
    sensors: new Map(sensors.map((sensor) => [sensor, fresh])),
  };
}

export function step(state: RunState, event: RunEvent): RunStep {
  if (state.phase === 'ended') return { state, effects: [] };
  switch (event.type) {
    case 'said':
      return hear(state, event.message);
    case 'start-decided':
      if (state.phase !== 'preparing') return { state, effects: [] };
      return {
        state: { ...state, phase: 'committing', start: event.start, clock: event.clock },
        effects: [{ do: 'commit', epoch: FIRST_EPOCH, start: event.start, clock: event.clock.name }],
      };
    case 'start-refused':
      if (state.phase !== 'preparing') return { state, effects: [] };
      return cancel({ ...state, startRefused: event.error }, event.error.message);
    case 'started':
      return { state: state.phase === 'armed' ? { ...state, phase: 'playing' } : state, effects: [] };
    case 'deadline':
      return afterDeadline(state, event.seconds);
    case 'lost':
      return state.rejoins && state.phase === 'playing'
        ? leave(state, event.sensor)
        : lose(state, event.sensor);
    case 'gone':
      return lose(state, event.sensor);
    case 'found':
      return { state: update(state, event.sensor, { isAway: false }), effects: [] };
    case 'returned':
      return takeBack(state, event.sensor);
    case 'stop-asked':
      if (state.stopAsked) return { state, effects: [] };
      if (state.phase === 'playing' || state.phase === 'armed') {
        return { state: { ...state, phase: 'stopping', stopAsked: true }, effects: [{ do: 'stop' }] };
      }
      return cancel({ ...state, stopAsked: true }, 'stopped by the user');
  }
}

function hear(before: RunState, message: FromSensor): RunStep {
  const state = catchUp(before, message);
  const sensor = state.sensors.get(message.sensor);
  if (sensor && message.epoch < sensor.epoch) return { state: recall(state, sensor, message), effects: [] };
  if (message.epoch !== sensor?.epoch) return { state, effects: [] };
  switch (message.type) {
    case 'ready': {
      const { interface: name, link, place, clock, epoch } = message;
      const next = update(state, message.sensor, { ready: { interface: name, link, place, clock } });
      if (sensor.ready) return { state, effects: [] };
      if (state.phase === 'playing' && state.start !== null && state.clock !== null) {
        const commit = { do: 'commit', epoch, start: state.start, clock: state.clock.name } as const;
        return { state: next, effects: [commit] };
      }
      if (state.phase !== 'preparing') return { state, effects: [] };
      return {
        state: next,
        effects: every(next, ({ ready }) => ready !== null) ? [{ do: 'decide-start' }] : [],
      };
    }
    case 'acknowledged': {
      const next = update(state, message.sensor, { acknowledged: true });
      const all = next.phase === 'committing' && every(next, ({ acknowledged }) => acknowledged);
      return all
        ? { state: { ...next, phase: 'armed' }, effects: [{ do: 'confirm' }] }
        : { state: next, effects: [] };
    }
    case 'progress':
      return {
        state: update(state, message.sensor, { progress: message, error: unlessLost(sensor) }),
        effects: [],
      };
    case 'refused':
      return fail(state, message.sensor, message.error);
    case 'report': {
      const next = update(state, message.sensor, { result: message.result, error: unlessLost(sensor) });
      // Nobody plays alone.
      if (state.phase === 'armed' && message.result.outcome !== 'done')
        return cancel(next, `sensor ${message.sensor} ended before the start`);
      return settle(next);
    }
  }
}

/** A sensor that speaks of a later attempt was taken back by another coordinator, which carried the run before. */
function catchUp(state: RunState, { sensor, epoch }: FromSensor): RunState {
  const known = state.sensors.get(sensor);
  const isUnderWay = state.phase === 'playing' || state.phase === 'stopping';
  if (!known || epoch <= known.epoch || !state.rejoins || !isUnderWay) return state;
  const before = [...known.before, placeOf(known.progress)];
  while (before.length < epoch - FIRST_EPOCH) before.push(placeOf(null));
  return update(state, sensor, { ...fresh, epoch, before });
}

/** How far an earlier agent was may be heard after the words of its successor: it comes by a stream of its own. */
function recall(state: RunState, { before }: SensorState, message: FromSensor): RunState {
  const index = message.epoch - FIRST_EPOCH;
  if (message.type !== 'progress' || before[index] === undefined) return state;
  return update(state, message.sensor, { before: before.with(index, placeOf(message)) });
}

function placeOf(progress: SensorProgress | null): SensorState['before'][number] {
  return { sent: progress?.sent ?? 0, position: progress?.position ?? '0' };
}

/** One that was cut off for a while, and plays on, was not lost. */
function unlessLost({ error }: SensorState): FailureRecord | null {
  return error?.code === 'sensor-lost' ? null : error;
}

/** A sensor is out: before the start the run is off for all, afterwards the others play on. */
function fail(state: RunState, sensor: string, error: FailureRecord): RunStep {
  const known = state.sensors.get(sensor);
  if (known?.result !== null || known.error !== null) return { state, effects: [] };
  const next = update(state, sensor, { error });
  const hasStarted = state.phase === 'playing' || state.phase === 'stopping';
  return hasStarted ? settle(next) : cancel(next, error.message);
}

function lose(state: RunState, sensor: string): RunStep {
  return fail(state, sensor, new Failure('sensor-lost', { sensor }).toRecord());
}

function leave(state: RunState, sensor: string): RunStep {
  const known = state.sensors.get(sensor);
  const isOut = known?.result !== null || known.error !== null;
  return { state: isOut ? state : update(state, sensor, { isAway: true }), effects: [] };
}

function takeBack(state: RunState, sensor: string): RunStep {
  const known = state.sensors.get(sensor);
  const { start, clock } = state;
  if (state.phase !== 'playing' || start === null || clock === null || !known?.isAway)
    return { state, effects: [] };
  const epoch = known.epoch + 1;
  const before = [...known.before, placeOf(known.progress)];
  return {
    state: update(state, sensor, { ...fresh, epoch, before }),
    effects: [{ do: 'prepare', sensor, epoch, startedAt: { start, clock: clock.name } }],
  };
}

function afterDeadline(state: RunState, seconds: number): RunStep {
  const missing = (open: (sensor: SensorState) => boolean): string =>
    [...state.sensors].find(([, sensor]) => open(sensor))?.[0] ?? '';
  switch (state.phase) {
    case 'preparing': {
      const sensor = missing(({ ready }) => ready === null);
      const error = new Failure('prepare-timeout', { sensor, seconds }).toRecord();
      return cancel(update(state, sensor, { error }), error.message);
    }
    case 'committing': {
      const sensor = missing(({ acknowledged }) => !acknowledged);
      const error = new Failure('acknowledge-timeout', { sensor }).toRecord();
      return cancel(update(state, sensor, { error }), error.message);
    }
    case 'stopping': {
      let next = state;
      for (const [sensor, { result, error }] of state.sensors) {
        if (result === null && error === null) {
          next = update(next, sensor, { error: new Failure('sensor-lost', { sensor }).toRecord() });
        }
      }
      return settle(next);
    }
    default:
      return { state, effects: [] };
  }
}

function cancel(state: RunState, reason: string): RunStep {
  return { state: { ...state, phase: 'ended', cancelled: reason }, effects: [{ do: 'cancel', reason }] };
}

function settle(state: RunState): RunStep {
  const done = every(state, ({ result, error }) => result !== null || error !== null);
  return { state: done ? { ...state, phase: 'ended' } : state, effects: [] };
}

function update(state: RunState, sensor: string, change: Partial<SensorState>): RunState {
  const known = state.sensors.get(sensor);
  if (!known) return state;
  return { ...state, sensors: new Map(state.sensors).set(sensor, { ...known, ...change }) };
}

function every(state: RunState, holds: (sensor: SensorState) => boolean): boolean {
  return [...state.sensors.values()].every(holds);
}
