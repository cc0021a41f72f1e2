// Carries a run through its barrier: hands out the plans, commits the start, listens, reports. The decisions are
// made by the state machine in domain/run-state; here they meet the sensors and the clock.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockWish } from '@capfleet/shared/contract/reference-clock';
import type { RunReport } from '@capfleet/shared/contract/report';
import { MESSAGE_VERSION, RUN_RENEWAL_MS, type Registration } from '@capfleet/shared/contract/agent-messages';
import type { RunRecord } from '@capfleet/shared/contract/run-record';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { chooseClock } from '../domain/reference-clock.ts';
import { reportRun } from '../domain/run-report.ts';
import {
  beginRun,
  FIRST_EPOCH,
  step,
  type Phase,
  type RunEffect,
  type RunEvent,
  type RunState,
} from '../domain/run-state.ts';
import { decideStart } from '../domain/start-time.ts';
import type { KeptRun, RunStore, RunStory } from '../ports/run-store.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import { Liveness } from './liveness.ts';
import { showRun } from './show-run.ts';

const REGISTRATION_PAUSE_MS = 100;
const BUSY_PAUSE_MS = 250;
/** Acknowledgements must be in this long before the start, so that a cancel still reaches everybody. */
const ACKNOWLEDGE_GUARD_MS = 250;
/** However far off the start is: who is silent for so long is not there. */
const LONGEST_ACKNOWLEDGE_MS = 10_000;
/** A plan is void this long after the latest start that its run could have, unless a later one is asked for. */
const PLAN_GRACE: Nanos = 2_000_000_000n;
const STOP_DEADLINE_MS = 5000;
const FINISH_LIMIT_MS = 1000;
type Joining = Extract<RunEffect, { do: 'prepare' }>;
const INTERRUPTED = Symbol('interrupted');

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

/** A run that nobody has begun, asked for at that instant of the reference clock. */
export function newRun(settings: RunSettings, created: Nanos): KeptRun {
  const { run, plans, lead, startAt, clock, maxClockBound } = settings;
  const { sensorTimeoutMs, prepareTimeoutMs, whenBusy, orphanTimeoutMs, rejoinMs } = settings;
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

/**
 * A run from its beginning to its report.
 * @throws Failure `sensor-unknown` where a sensor has not registered in time, `sensor-busy`, `run-taken`
 */
export async function replayRun(world: RunWorld, request: RunRequest): Promise<RunReport> {
  const kept = newRun(request, await world.channel.now());
  const { run, sensors } = kept.record;
  const registered = await gather(world, kept.record, request);
  try {
    return await beginWith(world, kept, registered, request);
  } catch (thrown) {
    await world.store.release(run, sensors).catch(() => undefined);
    throw thrown;
  }
}

/** What a run waits for before it begins: all its sensors, and to have them to itself. */
async function gather(
  world: RunWorld,
  record: RunRecord,
  watch: Pick<RunWatch, 'interrupted'>,
): Promise<Map<string, Registration>> {
  const registered = await waitForSensors(world.channel, record, watch);
  await holdSensors(world, record, watch);
  return registered;
}

async function beginWith(
  world: RunWorld,
  { record, plans }: KeptRun,
  registered: ReadonlyMap<string, Registration>,
  watch: RunWatch,
): Promise<RunReport> {
  const { prepareTimeoutMs, lead } = record;
  const latest = (await world.channel.now()) + BigInt(prepareTimeoutMs) * MILLISECOND + BigInt(lead);
  const begun = { plans, record: { ...record, validUntil: String(latest + PLAN_GRACE) } };
  await world.store.create(begun);
  return carryThrough(world, begun, registered, null, watch);
}

/** Begins a run that is kept; where it cannot be begun, the report says why. */
async function beginKept(world: RunWorld, kept: KeptRun, watch: RunWatch): Promise<RunReport> {
  const { store } = world;
  const { record, plans } = kept;
  const { run, sensors } = record;
  const over = new AbortController();
  const look = async (): Promise<void> => {
    if (!(await store.renew(run, []))) over.abort(new Failure('run-taken', { run }));
    if ((await store.story(run)).isOver) over.abort(new Failure('run-stopped', { run }));
  };
  const renewal = setInterval(() => void look().catch(() => undefined), RUN_RENEWAL_MS);
  const ends = [over.signal, ...(watch.leave ? [watch.leave] : [])];
  const interrupted = AbortSignal.any([...ends, watch.interrupted]);
  let registered: Map<string, Registration>;
  try {
    await look();
    registered = await gather(world, record, { interrupted });
  } catch (thrown) {
    const isRefused = thrown instanceof Failure && thrown.code !== 'run-taken';
    if (!isRefused || watch.leave?.aborted === true) throw thrown;
    const isStopped = thrown.code === 'run-stopped';
    const refusal = { type: 'start-refused', error: thrown.toRecord() } as const;
    const { state } = step(beginRun(sensors, false), isStopped ? { type: 'stop-asked' } : refusal);
    const report = reportRun(run, state, plans);
    await store.finish(run, sensors, report);
    return report;
  } finally {
    clearInterval(renewal);
  }
  return beginWith(world, kept, registered, watch);
}

/**
 * Carries a run through that was asked for, or that another coordinator has begun, and that none holds.
 * @throws Failure `run-unknown`, `run-taken`
 */
export async function resumeRun(world: RunWorld, run: string, watch: RunWatch): Promise<RunReport> {
  const { channel, store } = world;
  // What is kept is read as its holder, so that it is not another one's by then.
  if (!(await store.renew(run, []))) throw new Failure('run-taken', { run });
  let sensors: readonly string[] = [];
  try {
    const kept = await store.load(run);
    ({ sensors } = kept.record);
    const report = await store.report(run);
    if (report) {
      await store.release(run, sensors);
      return report;
    }
    if (kept.record.validUntil === null) return await beginKept(world, kept, watch);
    const hold = await store.hold(run, sensors);
    if (!hold.held) throw new Failure('run-taken', { run });
    return await carryThrough(world, kept, await channel.registrations(), await store.story(run), watch);
  } catch (thrown) {
    await store.release(run, sensors).catch(() => undefined);
    throw thrown;
  }
}

/** @param story what another coordinator said before; null: there was none */
async function carryThrough(
  { channel, store }: RunWorld,
  kept: KeptRun,
  registered: ReadonlyMap<string, Registration>,
  story: RunStory | null,
  { interrupted, leave, onChange }: RunWatch,
): Promise<RunReport> {
  const { record, plans } = kept;
  const { run, sensors, rejoinMs } = record;
  const plansVoidAt = record.validUntil ?? '0';
  const show = showRun(store, run);
  let state = beginRun(sensors, rejoinMs !== null);
  const deadline = new PhaseDeadline(record.prepareTimeoutMs);
  const queue: RunEvent[] = [];
  let listening: ReturnType<SensorChannel['listen']> | null = null;
  let taken: Failure | null = null;
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
      case 'prepare':
        await prepare(effect.sensor, effect.epoch, effect.startedAt);
        return;
      case 'commit':
        if (effect.epoch === FIRST_EPOCH && story?.commit) return;
        await channel.say(run, {
          type: 'commit',
          epoch: effect.epoch,
          clock: effect.clock,
          start: String(effect.start),
        });
        return;
      case 'cancel':
        await channel.say(run, { type: 'cancel', epoch: FIRST_EPOCH, reason: effect.reason });
        return;
      case 'stop':
        await channel.say(run, { type: 'stop' });
    }
  }

  async function prepare(
    sensor: string,
    epoch: number,
    startedAt: Joining['startedAt'] | null,
  ): Promise<void> {
    const plan = plans.find((candidate) => candidate.sensor === sensor);
    if (!plan) return;
    const validUntil =
      startedAt === null
        ? plansVoidAt
        : String((await channel.now()) + BigInt(record.prepareTimeoutMs) * MILLISECOND);
    await channel.prepare(sensor, {
      v: MESSAGE_VERSION,
      run,
      epoch,
      validUntil,
      startAt: record.startAt,
      startedAt: startedAt && { start: String(startedAt.start), clock: startedAt.clock },
      orphanTimeoutMs: record.orphanTimeoutMs,
      plan,
    });
  }

  async function chooseStart(): Promise<RunEvent> {
    const clocks = new Map(
      [...state.sensors].flatMap(([name, { ready }]) => (ready ? [[name, ready.clock]] : [])),
    );
    const lead = BigInt(record.lead);
    const maxClockBound = BigInt(record.maxClockBound);
    const startAt = record.startAt === null ? null : BigInt(record.startAt);
    // Counted from before the clock is read, so that the deadline is never later than it should be.
    const asked = performance.now();
    try {
      const clock = chooseClock(story?.commit?.clock ?? record.clock, clocks, maxClockBound);
      const now = (await channel.now()) - clock.behindRedis;
      const start =
        story?.commit?.start ?? decideStart({ now, lead, startAt, maxClockBound, bounds: clock.bounds });
      if (startAt === null && start + clock.behindRedis > BigInt(plansVoidAt))
        throw new Failure('run-stale', { run });
      deadline.beginCommit(asked, start - now);
      return { type: 'start-decided', start, clock };
    } catch (thrown) {
      return { type: 'start-refused', error: asFailure(thrown).toRecord() };
    }
  }

  const heard = story ? await everythingSaid() : [];
  const resumed = await channel.now();
  for (const event of heard) {
    queue.push(event);
    for (let next = queue.shift(); next; next = queue.shift()) await apply(next);
    if (state.start !== null && state.clock && state.start <= resumed - state.clock.behindRedis)
      await apply({ type: 'started' });
  }
  if (story?.isOver === true) await apply({ type: 'stop-asked' });
  // What another coordinator handed out is handed out already, as far as its sensors have said anything.
  for (const [sensor, { ready, error }] of state.sensors)
    if (state.phase === 'preparing' && !ready && !error) await prepare(sensor, FIRST_EPOCH, null);
  const liveness = new Liveness(channel, run, sensors, registered, rejoinMs);
  const renewal = setInterval(() => {
    store.renew(run, sensors).then(
      (isHeld) => {
        if (!isHeld) taken = new Failure('run-taken', { run });
      },
      () => undefined,
    );
    store.story(run).then(
      ({ isOver }) => {
        if (isOver && !state.stopAsked) queue.push({ type: 'stop-asked' });
      },
      () => undefined,
    );
  }, RUN_RENEWAL_MS);
  try {
    await Promise.race([listenToTheEnd(), longAfter(interrupted)]);
  } finally {
    clearInterval(renewal);
  }
  // Nobody answers any more, Redis perhaps not either: the report says so.
  for (const event of [{ type: 'stop-asked' }, { type: 'deadline', seconds: deadline.seconds }] as const) {
    state = step(state, event).state;
  }
  // Who asked the sensors to stop may have gone past this coordinator.
  if (!state.stopAsked && state.cancelled === null && isStopped(state))
    state = { ...state, stopAsked: (await store.story(run).catch(() => null))?.isOver === true };
  const report = reportRun(run, state, plans);
  await Promise.race([store.finish(run, sensors, report).catch(() => undefined), sleep(FINISH_LIMIT_MS)]);
  return report;

  async function everythingSaid(): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for (;;) {
      const messages = await channel.listen(run, 1);
      if (messages.length === 0) return events;
      for (const message of messages) events.push({ type: 'said', message });
    }
  }

  async function listenToTheEnd(): Promise<void> {
    while (state.phase !== 'ended') await listenOnce();
  }

  async function listenOnce(): Promise<void> {
    leave?.throwIfAborted();
    if (taken) throw taken;
    deadline.follow(state.phase);
    if (interrupted.aborted && !state.stopAsked) queue.push({ type: 'stop-asked' });
    if (deadline.passed) {
      queue.push(
        state.phase === 'armed' ? { type: 'started' } : { type: 'deadline', seconds: deadline.seconds },
      );
    }
    if (state.phase !== 'committing') queue.push(...(await liveness.look(state)));
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
    show(state);
    onChange(state);
  }
}

function isStopped({ sensors }: RunState): boolean {
  return [...sensors.values()].some(({ result }) => result?.outcome === 'stopped');
}

/** Resolves when an interruption has had all the time that stopping may take. */
async function longAfter(interrupted: AbortSignal): Promise<void> {
  if (!interrupted.aborted) await once(interrupted, 'abort');
  await sleep(STOP_DEADLINE_MS + ACKNOWLEDGE_GUARD_MS);
}

/** Two runs never have one sensor. */
async function holdSensors(
  { channel, store }: RunWorld,
  { run, whenBusy, sensors }: RunRecord,
  { interrupted }: Pick<RunWatch, 'interrupted'>,
): Promise<void> {
  for (;;) {
    interrupted.throwIfAborted();
    const busy = await busySensor({ channel, store }, run, sensors);
    if (busy === null) return;
    if (whenBusy === 'refuse') throw new Failure('sensor-busy', busy);
    await sleep(BUSY_PAUSE_MS);
  }
}

async function busySensor(
  { channel, store }: RunWorld,
  run: string,
  sensors: readonly string[],
): Promise<{ sensor: string; run: string } | null> {
  const hold = await store.hold(run, sensors);
  if (!hold.held) {
    if (hold.by === 'run') return { sensor: hold.sensor, run: hold.run };
    throw new Failure('run-taken', { run });
  }
  // A run whose coordinator is gone has no hold, and its sensors may still play.
  const registered = await channel.registrations();
  for (const sensor of sensors) {
    const other = registered.get(sensor)?.busyWith ?? null;
    // Of a run that is over, the registration may be a second old.
    if (other === null || other === run || (await store.report(other)) !== null) continue;
    await store.release(run, sensors);
    return { sensor, run: other };
  }
  return null;
}

async function waitForSensors(
  channel: SensorChannel,
  { sensors, sensorTimeoutMs }: RunRecord,
  { interrupted }: Pick<RunWatch, 'interrupted'>,
): Promise<Map<string, Registration>> {
  const deadline = performance.now() + sensorTimeoutMs;
  for (;;) {
    interrupted.throwIfAborted();
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

  readonly #prepareMs: number;

  constructor(prepareMs: number) {
    this.#prepareMs = prepareMs;
  }

  follow(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    // The commit's deadline hangs on its start, see `beginCommit`.
    if (phase === 'preparing') this.#begin(this.#prepareMs);
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
