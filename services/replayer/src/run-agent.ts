// Drives the agent's state machine: turns words, plans and the play's end into events, and carries out effects.
// All of the agent's world comes in as arguments.
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockFacts } from '@capfleet/shared/contract/report';
import {
  HEARTBEAT_EXPIRES_MS,
  HEARTBEAT_MS,
  MESSAGE_VERSION,
  type PrepareJob,
} from '@capfleet/shared/contract/agent-messages';
import { asFailure, Failure, reasonOf, type FailureRecord } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { MILLISECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { COUNTERS_SETTLE_MS } from './adapters/interface-counters.ts';
import { step, toMessage, type AgentEffect, type AgentEvent, type AgentState } from './agent.ts';
import type { ClockWatch } from './clock-watch.ts';
import { orphaned, watchAttendance, type Attendance } from './attendance.ts';
import { keepLease, type Lease } from './lease.ts';
import { interfaceOf, linkName } from './link.ts';
import type { AgentMeters, AgentSight } from './meters.ts';
import type { PacingOptions } from './pacing-options.ts';
import { PlayFailed, type Play, type PlayData } from './play.ts';
import type { CoordinatorChannel } from './ports/coordinator-channel.ts';
import type { SystemClock } from './ports/system-clock.ts';
import { checkPlan, type PrepareContext } from './prepare.ts';
import { isAllowed, offsetOf, type CommittedStart } from './start-instant.ts';

const PROGRESS_MS = 1000;
/** Who joins a run begins with what is due by then. */
const JOIN_LEAD: Nanos = 20_000_000n;
const CLAIM_RETRY_MS = 500;
/** After the start that it waited for a sensor says that nobody confirmed it, when the others are well on their way. */
const UNCONFIRMED_MS = 250;
/** From the word to stop to the report, which tells the interface's counters; the rest takes well below a second. */
const STOP_LIMIT_MS = COUNTERS_SETTLE_MS + 1500;
/** The report is on its way for so long; the channel closes behind it. */
const REPORT_MS = 50;
/** For so long a report is told again; its coordinator waits as long as the registration says so. */
const REPORT_AGAIN_MS = 60_000;
/** What `close` takes at most, beside the channel's own. */
export const AGENT_CLOSE_LIMIT_MS = STOP_LIMIT_MS + REPORT_MS;
/** A start is acknowledged when it is no further off than this. */
const NEAR: Nanos = 2_000_000_000n;
/** While a start is waited for. */
const CLOCK_AGE_MS = 60_000;
const CLOCK_PATIENCE_MS = 1000;
/** What setTimeout can count. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface AgentWorld {
  readonly sensor: string;
  readonly instance: string;
  /** What this agent holds, and no other while it is there. */
  readonly place: string;
  readonly version: string;
  readonly channel: CoordinatorChannel;
  readonly prepare: PrepareContext;
  /** As `preparePlay` of play.ts. */
  readonly preparePlay: (data: PlayData, signal: AbortSignal) => Promise<Play>;
  readonly s3: S3Options;
  readonly pacing: PacingOptions;
  readonly clocks: ClockWatch;
  readonly systemClock: SystemClock;
  readonly monotonicNow: () => Nanos;
  readonly meters: AgentMeters;
  readonly log: Logger;
}

export interface RunningAgent {
  look(): AgentSight;
  /**
   * Holds the play, one that is still to start too, and lets it go on later by the time between. Only for the one
   * sensor of a run: several would lose their common time.
   */
  pause(): void;
  resume(): void;
  /** Resolves when another agent has the sensor's name: this one was away for too long, and is to be closed. */
  readonly replaced: Promise<Failure>;
  /** Stops a play that is under way, tells its report, and takes the registration back. */
  close(): Promise<void>;
}

/** @throws Failure `sensor-taken` */
export async function runAgent(world: AgentWorld): Promise<RunningAgent> {
  const { sensor, channel, log } = world;
  const link = { interface: linkName(world.prepare.link), kind: world.prepare.link.kind };
  let state: AgentState = { phase: 'idle' };
  let play: Play | null = null;
  /** Gives up what is prepared. */
  let preparation = new AbortController();
  /** Resolves when the play before has given its link back. */
  let linkFree: Promise<unknown> = Promise.resolve();
  let clock: ClockFacts | null = null;
  let origin: Nanos = 0n;
  let lease: Lease | null = null;
  let attendance: Attendance | null = null;
  let orphanTimeoutMs: number | null = null;
  let isOrphaned = false;
  let isPaused = false;
  let isClosed = false;
  let isUp = false;
  let registeredAt = Number.NEGATIVE_INFINITY;
  /** The run whose report is on its way. */
  let untold: string | null = null;
  let onIdle: () => void = () => undefined;

  const handle = (event: AgentEvent): void => {
    const next = step(state, event, sensor);
    state = next.state;
    for (const effect of next.effects) carryOut(effect);
    if (state.phase === 'idle') onIdle();
  };

  function carryOut(effect: AgentEffect): void {
    switch (effect.do) {
      case 'prepare': {
        preparation = new AbortController();
        const { signal } = preparation;
        prepare(effect.job, signal).catch((thrown: unknown) => {
          if (!signal.aborted) handle({ type: 'failed', error: recordOf(thrown) });
        });
        return;
      }
      case 'say':
        log.info({ run: effect.run, word: effect.what.type }, 'to the coordinator');
        if (effect.what.type === 'refused') world.meters.failed(effect.what.error.code);
        void tell(effect);
        return;
      case 'arm': {
        const offset = clock ? offsetOf(clock, effect.clock) : 0n;
        origin = effect.start - offset;
        world.clocks.begin(origin, offset, effect.clock);
        return;
      }
      case 'await':
        void awaitStart(effect, preparation.signal);
        return;
      case 'start':
        if (play && state.phase !== 'idle') lease = leaseTo(play, state.run, state.epoch);
        play?.start(origin, 'joins' in state && state.joins ? world.monotonicNow() + JOIN_LEAD : null);
        if (state.phase !== 'idle') attend(state.run);
        if (isPaused) play?.pause();
        return;
      case 'stop':
        play?.stop();
        return;
      case 'abandon':
        lease?.end();
        play = null;
        preparation.abort();
    }
  }

  /** Who waits for the end of a run has a report only: one that Redis refuses (it is full, say) is told once more. */
  async function tell(effect: Extract<AgentEffect, { do: 'say' }>): Promise<void> {
    const { run, what } = effect;
    const until = performance.now() + (what.type === 'report' ? REPORT_AGAIN_MS : 0);
    if (what.type === 'report') untold = run;
    for (;;) {
      try {
        await channel.say(run, toMessage(effect, sensor, { link, place: world.place }));
        break;
      } catch (error) {
        log.error({ run, word: what.type, reason: reasonOf(error) }, 'telling the coordinator failed');
        if (isClosed || performance.now() > until) break;
        await sleep(HEARTBEAT_MS);
      }
    }
    if (what.type !== 'report' || untold !== run) return;
    untold = null;
    // Whoever wants this sensor next need not wait for a heartbeat.
    await register().catch(() => undefined);
  }

  /** @param signal aborted when the run is given up, and another one may be prepared */
  async function prepare(job: PrepareJob, signal: AbortSignal): Promise<void> {
    const { run, epoch, plan } = job;
    ({ orphanTimeoutMs } = job);
    isOrphaned = false;
    log.info({ run, files: plan.files.length }, 'preparing');
    if (!(await channel.claim(run, epoch))) throw new Failure('run-fenced', { run, sensor });
    signal.throwIfAborted();
    channel.follow(run, (message) => {
      log.info({ run, word: message.type }, 'from the coordinator');
      if (!isAt(run, epoch)) return;
      if (message.type === 'commit') {
        const committed = { clock: message.clock, start: BigInt(message.start) };
        if (!clock || !isAllowed(committed, job, clock)) {
          log.error({ run, start: message.start }, 'passed over a start that the plan does not allow');
          return;
        }
        handle({ type: 'commit', epoch: message.epoch, lead: leadOf(committed), ...committed });
      } else if (message.type === 'confirm') {
        handle({ ...message, lead: origin - world.monotonicNow() });
      } else handle(message);
    });
    clock = await world.clocks.facts();
    giveUpWhenExpired(job, clock);
    const mtu = await checkPlan(plan, world.prepare, signal);
    // Some links are there once only.
    await linkFree;
    const preparing = world.preparePlay(
      { plan, link: world.prepare.link, mtu, s3: world.s3, pacing: world.pacing, joinAt: placeOf(job) },
      signal,
    );
    linkFree = preparing.then(({ ended }) => ended).catch(() => undefined);
    const prepared = await preparing;
    const measured = await world.clocks.facts();
    signal.throwIfAborted();
    play = prepared;
    clock = measured;
    watch(prepared, measured, run, epoch);
    handle({ type: 'prepared', clock: measured });
  }

  /** The play sends as long as this agent is not away; after that it goes on where nobody has taken its place. */
  function leaseTo(prepared: Play, run: string, epoch: number): Lease {
    const askWhoseItIs = async (): Promise<void> => {
      log.warn({ run }, 'the agent was away');
      while (play === prepared) {
        const asked = world.monotonicNow();
        const isMine = await channel.claim(run, epoch).catch(() => null);
        if (play !== prepared) return;
        if (isMine === true) {
          kept.renew(asked);
          return;
        }
        if (isMine === false) {
          log.error({ run }, 'another agent has the place of this one');
          handle({ type: 'stop' });
          return;
        }
        await sleep(CLAIM_RETRY_MS);
      }
    };
    const kept = keepLease({
      now: () => world.monotonicNow(),
      grant: (until) => {
        prepared.lease(until);
      },
      onLapse: () => void askWhoseItIs(),
    });
    return kept;
  }

  /** How far the run of a plan has come, ns; 0 where it has not begun. */
  function placeOf({ startedAt }: PrepareJob): Nanos {
    if (startedAt === null) return 0n;
    const offset = clock ? offsetOf(clock, startedAt.clock) : 0n;
    const place = world.monotonicNow() + offset - BigInt(startedAt.start);
    return place > 0n ? place : 0n;
  }

  /** Without a coordinator for too long, where that is not wanted, the play ends. */
  function attend(run: string): void {
    if (orphanTimeoutMs === null) return;
    attendance = watchAttendance({
      attendedAgo: () => channel.attendedAgo(run),
      timeoutMs: orphanTimeoutMs,
      onOrphaned: () => {
        log.error({ run }, 'no coordinator was there for too long');
        isOrphaned = true;
        handle({ type: 'stop' });
      },
    });
  }

  function isAt(run: string, epoch: number): boolean {
    return state.phase !== 'idle' && state.run === run && state.epoch === epoch;
  }

  /** From now until a start, by what is known of the clocks, ns. */
  function leadOf(start: CommittedStart): Nanos {
    return start.start - (clock ? offsetOf(clock, start.clock) : 0n) - world.monotonicNow();
  }

  /**
   * What is said of a start long before it says little at the start: an agent can be gone by then, and its clock have
   * drifted away. So it is acknowledged when it is near, by a clock that was measured then.
   */
  async function awaitStart({ clock: name, start }: CommittedStart, signal: AbortSignal): Promise<void> {
    if (state.phase === 'idle') return;
    const { run, epoch } = state;
    const committed = { clock: name, start };
    let measuring: Promise<void> = Promise.resolve();
    for (;;) {
      const left = Number((leadOf(committed) - NEAR) / MILLISECOND);
      if (left <= 0) break;
      await sleep(Math.min(left, CLOCK_AGE_MS), null, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      measuring = world.clocks.factsAgain().then((measured) => {
        if (isAt(run, epoch)) clock = measured;
      });
      await Promise.race([measuring, sleep(CLOCK_PATIENCE_MS, null, { ref: false })]).catch(() => undefined);
    }
    if (!isAt(run, epoch)) return;
    expectConfirmation(leadOf(committed), run, epoch);
    try {
      await measuring;
    } catch (thrown) {
      if (isAt(run, epoch)) handle({ type: 'failed', error: recordOf(thrown) });
      return;
    }
    handle({ type: 'near', epoch, lead: leadOf(committed), ...committed });
  }

  /** Nobody starts alone: a start that is not confirmed by then is none. */
  function expectConfirmation(lead: Nanos, run: string, epoch: number): void {
    const left = Number(lead / MILLISECOND) + UNCONFIRMED_MS;
    const expire = (): void => {
      if (isAt(run, epoch)) handle({ type: 'unconfirmed', epoch });
    };
    setTimeout(expire, Math.min(Math.max(left, 0), LONGEST_TIMER_MS)).unref();
  }

  /** A plan whose start is not committed in time is void: its coordinator is gone, or it came late. */
  function giveUpWhenExpired({ run, epoch, validUntil }: PrepareJob, { offset }: ClockFacts): void {
    const left = BigInt(validUntil) - BigInt(offset) - world.monotonicNow();
    const expire = (): void => {
      if (!isAt(run, epoch) || (state.phase !== 'preparing' && state.phase !== 'ready')) return;
      log.warn({ run }, 'no start was committed in time');
      handle({ type: 'cancel', epoch });
    };
    if (left <= 0n) expire();
    else setTimeout(expire, Math.min(Number(left / 1_000_000n), LONGEST_TIMER_MS)).unref();
  }

  /** Follows a play to its end. One that was given up meanwhile ends unheard. */
  function watch(prepared: Play, before: ClockFacts, run: string, epoch: number): void {
    const timer = setInterval(() => {
      if (play !== prepared || (state.phase !== 'playing' && state.phase !== 'stopping')) return;
      const { sent, sentBytes, refused, lastDue, loops, lateness } = prepared.progress;
      const position = lastDue === null ? '0' : String(BigInt(lastDue) - origin);
      channel
        .say(run, { type: 'progress', sensor, epoch, sent, sentBytes, refused, position, loops, lateness })
        .catch(() => undefined);
      world.clocks.follow().then(
        (course) => {
          if (course && play === prepared) prepared.steer(course);
        },
        (error: unknown) => {
          log.warn({ reason: asFailure(error).message }, 'following the clock');
        },
      );
    }, PROGRESS_MS);
    const onReference = (instant: string | null): string | null =>
      instant === null ? null : String(world.clocks.referenceAt(BigInt(instant)));
    const settle = (event: AgentEvent): void => {
      clearInterval(timer);
      if (play !== prepared) return;
      lease?.end();
      attendance?.end();
      play = null;
      handle(event);
    };
    prepared.ended
      .then(async (outcome) => {
        const firstSent = onReference(outcome.firstSent);
        const lastSent = onReference(outcome.lastSent);
        const after = play === prepared ? await clockAfter() : null;
        const result = {
          ...outcome,
          warnings: isOrphaned ? [...outcome.warnings, orphaned] : outcome.warnings,
          firstSent,
          lastSent,
          clock: clock ?? before,
          clockAfter: after,
          clockCourse: world.clocks.course(),
        };
        if (play === prepared) world.meters.played(prepared, result);
        settle({ type: 'ended', result });
      })
      .catch((thrown: unknown) => {
        if (play === prepared) world.meters.played(prepared, null);
        settle({ type: 'failed', error: recordOf(thrown) });
      });
  }

  /** The clock once more, if Redis answers soon; the report must not wait for it. */
  async function clockAfter(): Promise<ClockFacts | null> {
    const late = new Promise<null>((resolve) =>
      setTimeout(() => {
        resolve(null);
      }, 2000).unref(),
    );
    return Promise.race([world.clocks.factsAfter().catch(() => null), late]);
  }

  function busyWith(): string | null {
    return state.phase === 'idle' ? untold : state.run;
  }

  async function register(): Promise<void> {
    const { prepare: context } = world;
    const name = interfaceOf(context.link);
    const facts = name === null ? { mtu: null, up: true } : await context.interfaces.state(name);
    isUp = facts?.up ?? false;
    await channel.register({
      v: MESSAGE_VERSION,
      sensor,
      instance: world.instance,
      place: world.place,
      version: world.version,
      host: hostname(),
      interface: link.interface,
      link: context.link.kind,
      mtu: facts?.mtu ?? null,
      up: isUp,
      clock,
      systemClock: world.systemClock.read(),
      busyWith: busyWith(),
    });
    registeredAt = performance.now();
  }

  await registerFirst(register);
  let onReplaced: (failure: Failure) => void = () => undefined;
  const replaced = new Promise<Failure>((resolve) => (onReplaced = resolve));
  const heartbeat = setInterval(() => {
    register().catch((error: unknown) => {
      const failure = asFailure(error);
      log.warn({ reason: failure.message }, 'heartbeat');
      if (failure.code === 'sensor-taken') onReplaced(failure);
    });
  }, HEARTBEAT_MS);
  await channel.onPlan((job) => {
    handle({ type: 'plan', job });
  });
  log.info({ interface: link.interface }, 'replayer ready');

  return {
    replaced,
    look: () => ({
      run: busyWith(),
      registeredAgo: performance.now() - registeredAt,
      interface: link.interface,
      isUp,
      clock,
      play,
    }),
    pause() {
      isPaused = true;
      if (state.phase === 'playing') play?.pause();
    },
    resume() {
      isPaused = false;
      if (state.phase === 'playing') play?.resume();
    },
    async close() {
      clearInterval(heartbeat);
      isClosed = true;
      if (state.phase !== 'idle') {
        const ended = new Promise<void>((resolve) => (onIdle = resolve));
        handle({ type: 'stop' });
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS).unref())]);
        await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
      }
      await world.clocks.close();
      await channel.close();
      log.info('replayer ended');
    },
  };
}

/** A predecessor that was killed holds the name until its registration expires. */
async function registerFirst(register: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + HEARTBEAT_EXPIRES_MS + HEARTBEAT_MS;
  for (;;) {
    try {
      await register();
      return;
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'sensor-taken' || performance.now() > deadline)
        throw thrown;
      await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS / 2));
    }
  }
}

function recordOf(thrown: unknown): FailureRecord {
  return thrown instanceof PlayFailed ? thrown.record : asFailure(thrown).toRecord();
}
