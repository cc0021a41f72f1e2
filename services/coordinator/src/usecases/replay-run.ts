// Carries a run through its barrier: hands out the plans, commits the start, listens, reports. The decisions are
// made by the state machine in domain/run-state; here they meet the sensors and the clock.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunReport } from '@capfleet/shared/contract/report';
import {
  MESSAGE_VERSION,
  RUN_RENEWAL_MS,
  type FromSensor,
  type Registration,
} from '@capfleet/shared/contract/agent-messages';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { chooseClock } from '../domain/reference-clock.ts';
import { reportRun } from '../domain/run-report.ts';
import {
  beginRun,
  FIRST_EPOCH,
  step,
  type RunEffect,
  type RunEvent,
  type RunState,
} from '../domain/run-state.ts';
import { decideStart } from '../domain/start-time.ts';
import type { KeptRun, RunStory } from '../ports/run-store.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import { gather } from './admit-run.ts';
import { Liveness } from './liveness.ts';
import { ACKNOWLEDGE_GUARD_MS, PhaseDeadline, STOP_DEADLINE_MS } from './phase-deadline.ts';
import { newRun, type RunRequest, type RunWatch, type RunWorld } from './run-request.ts';
import { showRun } from './show-run.ts';

/** A plan is void this long after the latest start that its run could have, unless a later one is asked for. */
const PLAN_GRACE: Nanos = 2_000_000_000n;
const FINISH_LIMIT_MS = 1000;
type Joining = Extract<RunEffect, { do: 'prepare' }>;
const INTERRUPTED = Symbol('interrupted');

/**
 * A run from its beginning to its report.
 * @throws Failure `sensor-unknown` where a sensor has not registered in time, `sensor-busy`, `run-taken`
 */
export async function replayRun(world: RunWorld, request: RunRequest): Promise<RunReport> {
  const kept = newRun(request, await world.channel.now());
  const { run, sensors } = kept.record;
  try {
    return await beginWith(world, kept, await gather(world, kept.record, request), request);
  } catch (thrown) {
    await world.store.release(run, sensors).catch(() => undefined);
    throw thrown;
  }
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
  await world.store.keep(begun);
  return carryThrough(world, begun, registered, null, watch);
}

/** Begins a run that is kept; where it cannot be begun, the report says why. */
async function beginKept(world: RunWorld, kept: KeptRun, watch: RunWatch): Promise<RunReport> {
  const { store } = world;
  const { record, plans } = kept;
  const { run, sensors } = record;
  const over = new AbortController();
  const look = async (): Promise<void> => {
    if (!(await store.renew(run, [], sensors))) over.abort(new Failure('run-taken', { run }));
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
    return await carryThrough(
      world,
      kept,
      await channel.registrations(sensors),
      await store.story(run),
      watch,
    );
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
      case 'confirm':
        await channel.say(run, { type: 'confirm', epoch: FIRST_EPOCH });
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
      deadline.startsIn(asked, start - now);
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
  const renewal = setInterval(() => {
    void followStart().catch(() => undefined);
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
  const liveness = new Liveness(channel, run, sensors, registered, rejoinMs);
  try {
    await Promise.race([handOutAndListen(), longAfter(interrupted)]);
  } finally {
    clearInterval(renewal);
  }
  // Nobody answers any more, Redis perhaps not either: the report says so.
  for (const event of [{ type: 'stop-asked' }, { type: 'deadline', seconds: deadline.seconds }] as const) {
    state = step(state, event).state;
  }
  // Who asked the sensors to stop may have gone past this coordinator.
  if (!state.stopAsked && state.cancelled === null && isStopped(state))
    state = { ...state, stopAsked: await isOver() };
  const report = reportRun(run, state, plans);
  await Promise.race([store.finish(run, sensors, report).catch(() => undefined), sleep(FINISH_LIMIT_MS)]);
  return report;

  /** However far off the start is: this host's clock runs otherwise than the one that it is on. */
  async function followStart(): Promise<void> {
    const { start, clock } = state;
    if (start === null || clock === null || !awaitsStart(state)) return;
    const asked = performance.now();
    deadline.startsIn(asked, start - ((await channel.now()) - clock.behindRedis));
  }

  async function isOver(): Promise<boolean> {
    return (await store.story(run).catch(() => null))?.isOver === true;
  }

  async function everythingSaid(): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for (;;) {
      const messages = await channel.listen(run, 1);
      if (messages.length === 0) return events;
      for (const message of messages) events.push({ type: 'said', message });
    }
  }

  async function handOutAndListen(): Promise<void> {
    // What another coordinator handed out is handed out already, as far as its sensors have said anything.
    for (const [sensor, { ready, error }] of state.sensors)
      if (state.phase === 'preparing' && !ready && !error) await prepare(sensor, FIRST_EPOCH, null);
    while (state.phase !== 'ended') await listenOnce();
  }

  async function listenOnce(): Promise<void> {
    leave?.throwIfAborted();
    if (taken) throw taken;
    deadline.follow(state.phase);
    if (interrupted.aborted && !state.stopAsked) queue.push({ type: 'stop-asked' });
    if (deadline.passed && state.phase !== 'armed')
      queue.push({ type: 'deadline', seconds: deadline.seconds });
    queue.push(...(await liveness.look(state)));
    if (queue.length === 0) {
      listening ??= channel.listen(run, deadline.leftMs);
      const messages = state.stopAsked ? await listening : await orInterrupted(listening, interrupted);
      // Ctrl-C does not wait for a word that may not come; the words are taken in the next round.
      if (messages !== INTERRUPTED) {
        listening = null;
        // Sensors hear a stop at once, this coordinator at its next renewal: what they end with is no failure of theirs.
        if (awaitsStart(state) && messages.some(isStop) && (await isOver()))
          queue.push({ type: 'stop-asked' });
        for (const message of messages) queue.push({ type: 'said', message });
      }
    }
    // However long the words were on their way, those of after the start are heard as such.
    if (state.phase === 'armed' && deadline.passed) await apply({ type: 'started' });
    for (let event = queue.shift(); event; event = queue.shift()) await apply(event);
    show(state);
    onChange(state);
  }
}

/**
 * What comes first. A promise of the interruption that lived as long as the run would hold on to everything that ever
 * came before it.
 */
async function orInterrupted<T>(
  awaited: Promise<T>,
  interrupted: AbortSignal,
): Promise<T | typeof INTERRUPTED> {
  const over = new AbortController();
  try {
    return await new Promise((resolve, reject) => {
      awaited.then(resolve, reject);
      const interrupt = (): void => {
        resolve(INTERRUPTED);
      };
      interrupted.addEventListener('abort', interrupt, { once: true, signal: over.signal });
    });
  } finally {
    over.abort();
  }
}

function awaitsStart({ phase }: RunState): boolean {
  return phase === 'committing' || phase === 'armed';
}

function isStop(message: FromSensor): boolean {
  if (message.type === 'refused') return message.error.code === 'run-stopped';
  return message.type === 'report' && message.result.outcome === 'stopped';
}

function isStopped({ sensors }: RunState): boolean {
  return [...sensors.values()].some(({ result }) => result?.outcome === 'stopped');
}

/** Resolves when an interruption has had all the time that stopping may take. */
async function longAfter(interrupted: AbortSignal): Promise<void> {
  if (!interrupted.aborted) await once(interrupted, 'abort');
  await sleep(STOP_DEADLINE_MS + ACKNOWLEDGE_GUARD_MS);
}
