// Carries a run through its barrier: hands out the plans, commits the start, listens, reports. The decisions are
// made by the state machine in domain/run-state; here they meet the sensors and the clock.
import type { RunReport } from '@capfleet/shared/contract/report';
import { MESSAGE_VERSION, type Registration } from '@capfleet/shared/contract/agent-messages';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { reportRun } from '../domain/run-report.ts';
import {
  beginRun,
  step,
  type Phase,
  type RunEffect,
  type RunEvent,
  type RunState,
} from '../domain/run-state.ts';
import { decideStart } from '../domain/start-time.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';

const REGISTRATION_PAUSE_MS = 100;
const LIVENESS_PAUSE_MS = 1000;
/** Checks in a row that must miss a registration before its agent counts as lost. */
const LOST_AFTER = 3;
/** Acknowledgements must be in this long before the start, so that a cancel still reaches everybody. */
const ACKNOWLEDGE_GUARD_MS = 100;
const STOP_DEADLINE_MS = 5000;
const INTERRUPTED = Symbol('interrupted');

export interface RunRequest {
  readonly run: string;
  readonly plans: readonly SensorPlan[];
  readonly lead: Nanos;
  readonly maxClockBound: Nanos;
  readonly sensorTimeoutMs: number;
  readonly prepareTimeoutMs: number;
  /** Aborted: every sensor stops, and the report comes all the same. */
  readonly interrupted: AbortSignal;
  readonly onChange: (state: RunState) => void;
}

/** @throws Failure `sensor-unknown` where a sensor has not registered in time */
export async function replayRun(channel: SensorChannel, request: RunRequest): Promise<RunReport> {
  const { run, plans, interrupted } = request;
  const sensors = plans.map(({ sensor }) => sensor);
  const registered = await waitForSensors(channel, sensors, request);
  const epoch = 1;
  let state = beginRun(sensors, epoch);
  const deadline = new PhaseDeadline();
  const queue: RunEvent[] = [];
  let listening: ReturnType<SensorChannel['listen']> | null = null;
  const interruption = new Promise<typeof INTERRUPTED>((resolve) => {
    interrupted.addEventListener(
      'abort',
      () => {
        resolve(INTERRUPTED);
      },
      { once: true },
    );
  });

  const apply = async (event: RunEvent): Promise<void> => {
    const next = step(state, event);
    state = next.state;
    for (const effect of next.effects) await carryOut(effect);
  };

  async function carryOut(effect: RunEffect): Promise<void> {
    switch (effect.do) {
      case 'decide-start':
        queue.push(await chooseStart(channel, state, request));
        return;
      case 'commit':
        await channel.say(run, { type: 'commit', epoch, start: String(effect.start) });
        return;
      case 'cancel':
        await channel.say(run, { type: 'cancel', epoch, reason: effect.reason });
        return;
      case 'stop':
        await channel.say(run, { type: 'stop', epoch });
    }
  }

  for (const plan of plans) await channel.prepare(plan.sensor, { v: MESSAGE_VERSION, run, epoch, plan });
  const liveness = new Liveness(channel, registered);
  while (state.phase !== 'ended') {
    deadline.follow(state.phase, request);
    if (interrupted.aborted && !state.stopAsked) queue.push({ type: 'stop-asked' });
    if (deadline.passed) queue.push({ type: 'deadline', seconds: deadline.seconds });
    for (const sensor of await liveness.lost()) queue.push({ type: 'lost', sensor });
    if (queue.length === 0) {
      listening ??= channel.listen(run);
      const messages = state.stopAsked ? await listening : await Promise.race([listening, interruption]);
      // Ctrl-C does not wait for a word that may not come; the words are taken in the next round.
      if (messages !== INTERRUPTED) {
        listening = null;
        for (const message of messages) queue.push({ type: 'said', message });
      }
    }
    for (let event = queue.shift(); event; event = queue.shift()) await apply(event);
    request.onChange(state);
  }
  return reportRun(run, state, plans);
}

async function waitForSensors(
  channel: SensorChannel,
  sensors: readonly string[],
  request: RunRequest,
): Promise<Map<string, Registration>> {
  const deadline = performance.now() + request.sensorTimeoutMs;
  for (;;) {
    request.interrupted.throwIfAborted();
    const registered = await channel.registrations();
    const missing = sensors.find((sensor) => !registered.has(sensor));
    if (missing === undefined) return registered;
    if (performance.now() > deadline) {
      const known = [...registered.keys()].sort().join(', ');
      throw new Failure('sensor-unknown', { sensor: missing, known: known === '' ? 'none' : known });
    }
    await new Promise((resolve) => setTimeout(resolve, REGISTRATION_PAUSE_MS));
  }
}

async function chooseStart(channel: SensorChannel, state: RunState, request: RunRequest): Promise<RunEvent> {
  const clocks = new Map(
    [...state.sensors].flatMap(([name, { ready }]) => (ready ? [[name, ready.clock]] : [])),
  );
  try {
    const { lead, maxClockBound } = request;
    return {
      type: 'start-decided',
      start: decideStart({ now: await channel.now(), lead, maxClockBound, clocks }),
    };
  } catch (thrown) {
    return { type: 'start-refused', error: asFailure(thrown).toRecord() };
  }
}

/** How long the current phase may last; playing has no end of its own. */
class PhaseDeadline {
  seconds = 0;
  #phase: Phase | null = null;
  #at = Number.POSITIVE_INFINITY;

  follow(phase: Phase, request: RunRequest): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    const milliseconds = deadlineOf(phase, request);
    this.seconds = milliseconds / 1000;
    this.#at = performance.now() + milliseconds;
  }

  get passed(): boolean {
    return performance.now() > this.#at;
  }
}

function deadlineOf(phase: Phase, { lead, prepareTimeoutMs }: RunRequest): number {
  switch (phase) {
    case 'preparing':
      return prepareTimeoutMs;
    case 'committing':
      return Math.max(0, Number(lead / 1_000_000n) - ACKNOWLEDGE_GUARD_MS);
    case 'stopping':
      return STOP_DEADLINE_MS;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** Notices agents whose registration is gone, or that were replaced by another instance. */
class Liveness {
  readonly #channel: SensorChannel;
  readonly #instances: Map<string, string>;
  readonly #missed = new Map<string, number>();
  #next = performance.now() + LIVENESS_PAUSE_MS;

  constructor(channel: SensorChannel, registered: ReadonlyMap<string, Registration>) {
    this.#channel = channel;
    this.#instances = new Map([...registered].map(([sensor, { instance }]) => [sensor, instance]));
  }

  async lost(): Promise<string[]> {
    if (performance.now() < this.#next) return [];
    this.#next = performance.now() + LIVENESS_PAUSE_MS;
    const registered = await this.#channel.registrations();
    const lost: string[] = [];
    for (const [sensor, instance] of this.#instances) {
      const missed = registered.get(sensor)?.instance === instance ? 0 : (this.#missed.get(sensor) ?? 0) + 1;
      this.#missed.set(sensor, missed);
      if (missed === LOST_AFTER) lost.push(sensor);
    }
    return lost;
  }
}
