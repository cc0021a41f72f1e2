// An agent's behaviour as a pure state machine: (state, event) → state and effects. It never starts on anything but
// a committed start of the run it is prepared for, which it must have heard in time that every other sensor knows, too;
// and it follows only the newest epoch of that run it has seen.
//
//   idle ─plan→ preparing ─prepared→ ready ─commit→ committed ─near→ acknowledged ─confirm→ playing ─ended→ idle
//          any of them ─cancel / stop / failure→ idle, with a word about it to the coordinator
import type { ClockFacts, PlayResult } from '@capfleet/shared/contract/report';
import type { FromSensor, PrepareJob } from '@capfleet/shared/contract/agent-messages';
import { Failure, type FailureRecord } from '@capfleet/shared/errors/failure';
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { CommittedStart } from './start-instant.ts';

export type AgentState =
  | { readonly phase: 'idle' }
  | {
      readonly phase: 'preparing' | 'ready' | 'committed' | 'acknowledged' | 'playing' | 'stopping';
      readonly run: string;
      readonly epoch: number;
      /** The run has begun without it. */
      readonly joins: boolean;
    };

export type AgentEvent =
  | { readonly type: 'plan'; readonly job: PrepareJob }
  | { readonly type: 'prepared'; readonly clock: ClockFacts }
  /** Preparing failed, or the play broke down. */
  | { readonly type: 'failed'; readonly error: FailureRecord }
  /** `lead`: ns from now until the start, by this agent's clock. */
  | ({ readonly type: 'commit'; readonly epoch: number; readonly lead: Nanos } & CommittedStart)
  /** The committed start is at hand. `lead`: as above. */
  | ({ readonly type: 'near'; readonly epoch: number; readonly lead: Nanos } & CommittedStart)
  /** `lead`: as above. */
  | { readonly type: 'confirm'; readonly epoch: number; readonly lead: Nanos }
  /** The start has passed, and nobody confirmed it. */
  | { readonly type: 'unconfirmed'; readonly epoch: number }
  | { readonly type: 'cancel'; readonly epoch: number }
  | { readonly type: 'stop' }
  | { readonly type: 'ended'; readonly result: PlayResult };

type Said =
  | { readonly type: 'ready'; readonly clock: ClockFacts }
  | { readonly type: 'refused'; readonly error: FailureRecord }
  | { readonly type: 'acknowledged' }
  | { readonly type: 'report'; readonly result: PlayResult };

export type AgentEffect =
  | { readonly do: 'prepare'; readonly job: PrepareJob }
  /** Tells the coordinator of that run. */
  | { readonly do: 'say'; readonly run: string; readonly epoch: number; readonly what: Said }
  /** A `near` event follows; without a confirmation soon after the start, an `unconfirmed` event. */
  | ({ readonly do: 'await' } & CommittedStart)
  /** Brings the start to this host's clock. */
  | ({ readonly do: 'arm' } & CommittedStart)
  /** Has the play start at that instant. */
  | { readonly do: 'start' }
  /** Ends the play; an `ended` event follows. */
  | { readonly do: 'stop' }
  /** Gives up what is prepared, silently; nothing was sent. */
  | { readonly do: 'abandon' };

export interface AgentStep {
  readonly state: AgentState;
  readonly effects: readonly AgentEffect[];
}

/** A commit that leaves less than this cannot be met with certainty. */
export const SHORTEST_LEAD: Nanos = 20_000_000n;

const idle: AgentState = { phase: 'idle' };

export function step(state: AgentState, event: AgentEvent, sensor: string): AgentStep {
  const stay: AgentStep = { state, effects: [] };
  if (event.type === 'plan') return takePlan(state, event.job, sensor);
  if (state.phase === 'idle') return stay;
  const { run, epoch } = state;
  const say = (what: Said): AgentEffect => ({ do: 'say', run, epoch, what });
  const refuse = (failure: Failure): AgentStep => ({
    state: idle,
    effects: [say({ type: 'refused', error: failure.toRecord() }), { do: 'abandon' }],
  });
  const missed = (lead: Nanos): Failure =>
    new Failure('start-missed', { sensor, milliseconds: Number(lead / 1_000_000n) });
  if ('epoch' in event && event.epoch !== epoch) return stay;

  switch (event.type) {
    case 'prepared':
      if (state.phase !== 'preparing') return stay;
      return { state: { ...state, phase: 'ready' }, effects: [say({ type: 'ready', clock: event.clock })] };
    case 'failed':
      return { state: idle, effects: [say({ type: 'refused', error: event.error }), { do: 'abandon' }] };
    case 'commit':
      if (state.phase !== 'ready') return stay;
      if (state.joins)
        return {
          state: { ...state, phase: 'playing' },
          effects: [
            { do: 'arm', clock: event.clock, start: event.start },
            { do: 'start' },
            say({ type: 'acknowledged' }),
          ],
        };
      if (event.lead < SHORTEST_LEAD) return refuse(missed(event.lead));
      return {
        state: { ...state, phase: 'committed' },
        effects: [{ do: 'await', clock: event.clock, start: event.start }],
      };
    case 'near':
      if (state.phase !== 'committed') return stay;
      if (event.lead < SHORTEST_LEAD) return refuse(missed(event.lead));
      return {
        state: { ...state, phase: 'acknowledged' },
        effects: [{ do: 'arm', clock: event.clock, start: event.start }, say({ type: 'acknowledged' })],
      };
    case 'confirm':
      if (state.phase !== 'acknowledged') return stay;
      if (event.lead < SHORTEST_LEAD) return refuse(missed(event.lead));
      return { state: { ...state, phase: 'playing' }, effects: [{ do: 'start' }] };
    case 'unconfirmed':
      return state.phase === 'committed' || state.phase === 'acknowledged'
        ? refuse(new Failure('start-unconfirmed', { sensor }))
        : stay;
    case 'cancel':
      // An armed play is stopped rather than dropped: it may have begun, and then there is something to report.
      if (state.phase === 'playing')
        return { state: { ...state, phase: 'stopping' }, effects: [{ do: 'stop' }] };
      return state.phase === 'stopping' ? stay : { state: idle, effects: [{ do: 'abandon' }] };
    case 'stop':
      if (state.phase === 'stopping') return stay;
      if (state.phase === 'playing')
        return { state: { ...state, phase: 'stopping' }, effects: [{ do: 'stop' }] };
      // Its acknowledgement may count already, so that the start may be confirmed.
      if (state.phase === 'committed' || state.phase === 'acknowledged')
        return refuse(new Failure('run-stopped', { run }));
      return { state: idle, effects: [{ do: 'abandon' }] };
    case 'ended':
      if (state.phase !== 'playing' && state.phase !== 'stopping') return stay;
      return { state: idle, effects: [say({ type: 'report', result: event.result })] };
  }
}

function takePlan(state: AgentState, job: PrepareJob, sensor: string): AgentStep {
  const { run, epoch } = job;
  const preparing: AgentState = { phase: 'preparing', run, epoch, joins: job.startedAt !== null };
  if (state.phase === 'idle') {
    return { state: preparing, effects: [{ do: 'prepare', job }] };
  }
  // The same plan again (the queue delivers at least once) changes nothing.
  if (state.run === run && epoch <= state.epoch) return { state, effects: [] };
  if (state.run === run && state.phase !== 'playing' && state.phase !== 'stopping') {
    return {
      state: preparing,
      effects: [{ do: 'abandon' }, { do: 'prepare', job }],
    };
  }
  const error = new Failure('sensor-busy', { sensor, run: state.run }).toRecord();
  return { state, effects: [{ do: 'say', run, epoch, what: { type: 'refused', error } }] };
}

/** What an agent says, as the message on the run's stream. */
export function toMessage(
  effect: Extract<AgentEffect, { do: 'say' }>,
  sensor: string,
  { link, place }: { link: { interface: string; kind: string }; place: string },
): FromSensor {
  const head = { sensor, epoch: effect.epoch };
  const { what } = effect;
  return what.type === 'ready'
    ? { ...head, ...what, interface: link.interface, link: link.kind, place }
    : { ...head, ...what };
}
