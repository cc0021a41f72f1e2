// Carries a run through its barrier: hands out the plans, commits the start, listens, reports. The decisions are
// made by the state machine in domain/run-state; here they meet the sensors and the clock.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import { MESSAGE_VERSION, type Registration } from '@capfleet/shared/contract/agent-messages';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { chooseClock, type ClockWish } from '../domain/reference-clock.ts';
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
const ACKNOWLEDGE_GUARD_MS = 250;
/** However far off the start is: who is silent for so long is not there. */
const LONGEST_ACKNOWLEDGE_MS = 10_000;
/** Room for the acknowledgements before that. */
export const SHORTEST_LEAD: Nanos = 500_000_000n;
/** A plan is void this long after the latest start that its run could have, unless a later one is asked for. */
const PLAN_GRACE: Nanos = 2_000_000_000n;
const STOP_DEADLINE_MS = 5000;
const INTERRUPTED = Symbol('interrupted');

export interface RunRequest {
  readonly run: string;
  readonly plans: readonly SensorPlan[];
  readonly lead: Nanos;
  /** The start on the clock that is chosen, at least the lead from when all are ready; null: as soon as that. */
  readonly startAt: Nanos | null;
  readonly clock: ClockWish;
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
        queue.push(await chooseStart());
        return;
      case 'commit':
        await channel.say(run, {
          type: 'commit',
          epoch,
          clock: effect.clock,
          start: String(effect.start),
        });
        return;
      case 'cancel':
        await channel.say(run, { type: 'cancel', epoch, reason: effect.reason });
        return;
      case 'stop':
        await channel.say(run, { type: 'stop', epoch });
    }
  }

  async function chooseStart(): Promise<RunEvent> {
    const clocks = new Map(
      [...state.sensors].flatMap(([name, { ready }]) => (ready ? [[name, ready.clock]] : [])),
    );
    const { lead, startAt, maxClockBound } = request;
    // Counted from before the clock is read, so that the deadline is never later than it should be.
    const asked = performance.now();
    try {
      const clock = chooseClock(request.clock, clocks, maxClockBound);
      const now = (await channel.now()) - clock.behindRedis;
      const start = decideStart({ now, lead, startAt, maxClockBound, bounds: clock.bounds });
      deadline.beginCommit(asked, start - now);
      return { type: 'start-decided', start, clock };
    } catch (thrown) {
      return { type: 'start-refused', error: asFailure(thrown).toRecord() };
    }
  }

  const now = await channel.now();
  const latest = now + BigInt(request.prepareTimeoutMs) * MILLISECOND + request.lead;
  const validUntil = String(latest + PLAN_GRACE);
  const startAt = request.startAt === null ? null : String(request.startAt);
  for (const plan of plans) {
    await channel.prepare(plan.sensor, { v: MESSAGE_VERSION, run, epoch, validUntil, startAt, plan });
  }
  const liveness = new Liveness(channel, run, registered);
  await Promise.race([listenToTheEnd(), longAfter(interrupted)]);
  // Nobody answers any more, Redis perhaps not either: the report says so.
  for (const event of [{ type: 'stop-asked' }, { type: 'deadline', seconds: deadline.seconds }] as const) {
    state = step(state, event).state;
  }
  return reportRun(run, state, plans);

  async function listenToTheEnd(): Promise<void> {
    while (state.phase !== 'ended') await listenOnce();
  }

  async function listenOnce(): Promise<void> {
    deadline.follow(state.phase, request);
    if (interrupted.aborted && !state.stopAsked) queue.push({ type: 'stop-asked' });
    if (deadline.passed) {
      queue.push(
        state.phase === 'armed' ? { type: 'started' } : { type: 'deadline', seconds: deadline.seconds },
      );
    }
    if (state.phase !== 'committing') {
      for (const sensor of await liveness.lost(state)) queue.push({ type: 'lost', sensor });
    }
    if (queue.length === 0) {
      listening ??= channel.listen(run, deadline.leftMs);
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
}

/** Resolves when an interruption has had all the time that stopping may take. */
async function longAfter(interrupted: AbortSignal): Promise<void> {
  if (!interrupted.aborted) await once(interrupted, 'abort');
  await sleep(STOP_DEADLINE_MS + ACKNOWLEDGE_GUARD_MS);
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

/** How long the current phase may last; playing has no end of its own. */
class PhaseDeadline {
  seconds = 0;
  #phase: Phase | null = null;
  #at = Number.POSITIVE_INFINITY;
  #startsAt = 0;

  follow(phase: Phase, { prepareTimeoutMs }: RunRequest): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    // The commit's deadline hangs on its start, see `beginCommit`.
    if (phase === 'preparing') this.#begin(prepareTimeoutMs);
    else if (phase === 'stopping') this.#begin(STOP_DEADLINE_MS);
    else if (phase === 'armed') this.#end(this.#startsAt);
    else if (phase !== 'committing') this.#begin(Number.POSITIVE_INFINITY);
  }

  /** @param asked the instant that the lead counts from, as `performance.now()` tells it */
  beginCommit(asked: number, lead: Nanos): void {
    this.#phase = 'committing';
    this.#startsAt = asked + Number(lead) / 1e6;
    const left = this.#startsAt - ACKNOWLEDGE_GUARD_MS - performance.now();
    this.#begin(Math.min(left, LONGEST_ACKNOWLEDGE_MS));
  }

  get passed(): boolean {
    return performance.now() > this.#at;
  }

  get leftMs(): number {
    return Math.max(1, this.#at - performance.now());
  }

  #begin(milliseconds: number): void {
    this.seconds = milliseconds / 1000;
    this.#end(performance.now() + milliseconds);
  }

  #end(at: number): void {
    this.#at = at;
  }
}

/** Notices agents whose registration is gone, that were replaced by another instance, or ended their play unheard. */
class Liveness {
  readonly #channel: SensorChannel;
  readonly #instances: Map<string, string>;
  readonly #missed = new Map<string, number>();
  readonly #run: string;
  #next = performance.now() + LIVENESS_PAUSE_MS;

  constructor(channel: SensorChannel, run: string, registered: ReadonlyMap<string, Registration>) {
    this.#channel = channel;
    this.#run = run;
    this.#instances = new Map([...registered].map(([sensor, { instance }]) => [sensor, instance]));
  }

  async lost({ phase }: RunState): Promise<string[]> {
    if (performance.now() < this.#next) return [];
    this.#next = performance.now() + LIVENESS_PAUSE_MS;
    const registered = await this.#channel.registrations();
    const lost: string[] = [];
    for (const [sensor, instance] of this.#instances) {
      const found = registered.get(sensor);
      const isThere = found?.instance === instance && (phase === 'preparing' || found.busyWith === this.#run);
      const missed = isThere ? 0 : (this.#missed.get(sensor) ?? 0) + 1;
      this.#missed.set(sensor, missed);
      if (missed === LOST_AFTER) lost.push(sensor);
    }
    return lost;
  }
}
