/**
 * Runs of many sensors, on one machine: real agents over a real Redis, many in one process, whose plays send nothing
 * and last as long as their plans say. They share the thread that measures the clock, which agents on hosts of their own
 * do not.
 */
import { replayRun } from '@capfleet/coordinator/usecases/replay-run';
import type { RunWorld } from '@capfleet/coordinator/usecases/run-request';
import { redisClock } from '@capfleet/replayer/adapters/redis-clock';
import { redisCoordinatorChannel } from '@capfleet/replayer/adapters/redis-coordinator-channel';
import { ClockWatch } from '@capfleet/replayer/clock-watch';
import { plainPacing } from '@capfleet/replayer/pacing-options';
import { noProgress, type Play, type PlayData, type PlayOutcome } from '@capfleet/replayer/play';
import type { ReferenceClock } from '@capfleet/replayer/ports/reference-clock';
import { noMeters } from '@capfleet/replayer/meters';
import { runAgent } from '@capfleet/replayer/run-agent';
import { SHORTEST_LEAD } from '@capfleet/shared/contract/api';
import { fromSensorsKey, toSensorsKey } from '@capfleet/shared/contract/keys';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runDuration } from '@capfleet/shared/dataset/replay-plan';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { disk } from '@capfleet/shared/source/disk';
import { plainSystemClock, planFile, playResult, sensorPlan } from './play-results.ts';
import { testOptions } from './s3-bucket.ts';

export interface SimulatedAgents {
  close(): Promise<void>;
}

/** Resolves when all are registered, and ready for plans. */
export async function startSimulatedAgents(
  redis: string,
  sensors: readonly string[],
): Promise<SimulatedAgents> {
  const thread = redisClock(redis);
  const reference = inTurn(thread);
  const agents = await Promise.all(
    sensors.map((sensor) => {
      const instance = `instance of ${sensor}`;
      const log = silentLogger();
      return runAgent({
        sensor,
        instance,
        place: `place of ${sensor}`,
        version: '1',
        channel: redisCoordinatorChannel(redis, { sensor, instance }, log),
        prepare: {
          link: { kind: 'null' },
          interfaces: { names: async () => [], state: async () => null },
          source: disk,
          openFileLimit: 1024,
          roots: ['/'],
          mayUseDefaultRoute: false,
        },
        preparePlay: simulatePlay,
        s3: testOptions({}),
        pacing: plainPacing,
        clocks: new ClockWatch(reference, systemClock, monotonicNow),
        systemClock,
        monotonicNow,
        meters: noMeters,
        log,
      });
    }),
  );
  return {
    async close() {
      await Promise.all(agents.map((agent) => agent.close()));
      await thread.close();
    },
  };
}

const monotonicNow = (): bigint => process.hrtime.bigint();
const systemClock = { read: () => plainSystemClock };

/** One question at a time, as if each agent had the thread to itself; it outlives the agents. */
function inTurn({ measure }: ReferenceClock): ReferenceClock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    measure(probes) {
      const measured = last.then(() => measure(probes));
      last = measured.catch(() => undefined);
      return measured;
    },
    close: async () => undefined,
  };
}

async function simulatePlay({ plan }: PlayData, signal: AbortSignal): Promise<Play> {
  const packets = plan.files.reduce((sum, file) => sum + file.packets, 0);
  const played: PlayOutcome = playResult();
  let onEnd: (outcome: PlayOutcome) => void = () => undefined;
  const ended = new Promise<PlayOutcome>((resolve, reject) => {
    onEnd = resolve;
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
  ended.catch(() => undefined);
  let progress = noProgress;
  const finish = (outcome: 'done' | 'stopped', sent: number): void => {
    const { accounts, ...rest } = played;
    const refused = { ...accounts.refused, stopped: packets - sent };
    const sums = { ...accounts, read: packets, sent, sentBytes: sent * 60, refused };
    progress = { ...progress, sent, sentBytes: sums.sentBytes };
    onEnd({ ...rest, outcome, accounts: sums });
  };
  return {
    start(at) {
      const end = at + runDuration(plan.timeline);
      setTimeout(() => {
        progress = { ...progress, lastDue: String(at) };
      }, millisecondsTo(at));
      setTimeout(() => {
        finish('done', packets);
      }, millisecondsTo(end));
    },
    stop: () => {
      finish('stopped', 0);
    },
    pause: () => undefined,
    resume: () => undefined,
    steer: () => undefined,
    lease: () => undefined,
    get progress() {
      return progress;
    },
    ended,
  };
}

function millisecondsTo(instant: bigint): number {
  return Math.max(0, Number(instant - monotonicNow()) / 1e6);
}

/** A run of simulated agents, each with packets that nobody reads. @returns its report */
export function simulatedRun(
  world: RunWorld,
  run: string,
  sensors: readonly string[],
  playMs: number,
  lead: Nanos = SHORTEST_LEAD,
): Promise<RunReport> {
  const timeline = { ...sensorPlan('').timeline, period: String(playMs * 1_000_000) };
  return replayRun(world, {
    run,
    plans: sensors.map((sensor) => sensorPlan(sensor, { timeline, files: [HERE] })),
    lead,
    startAt: null,
    clock: 'redis',
    // All of them ask one Redis at once.
    maxClockBound: 100_000_000n,
    sensorTimeoutMs: 30_000,
    prepareTimeoutMs: 30_000,
    whenBusy: 'refuse',
    orphanTimeoutMs: null,
    rejoinMs: null,
    interrupted: new AbortController().signal,
    onChange: () => undefined,
  });
}

/** A file that is there, for those who check that. */
export const HERE = planFile({ path: import.meta.filename, fileSize: null, version: null });

export interface Barrier {
  /** When each sensor was ready, and acknowledged: ms of Redis' clock. */
  readonly ready: readonly number[];
  readonly acknowledged: readonly number[];
  readonly commit: number;
}

/** What the words of a run tell, which bear the time at which Redis had them. */
export async function barrierOf(redis: string, run: string): Promise<Barrier> {
  const client = connect(redis, 'test', silentLogger());
  try {
    const said = async (key: string): Promise<{ type: string; at: number }[]> =>
      (await client.xrange(key, '-', '+')).map(([id, [, message]]) => ({
        type: (JSON.parse(message ?? '') as { type: string }).type,
        at: Number(id.split('-')[0]),
      }));
    const fromSensors = await said(fromSensorsKey(run));
    const toSensors = await said(toSensorsKey(run));
    const of = (words: typeof fromSensors, type: string): number[] =>
      words.filter((word) => word.type === type).map(({ at }) => at);
    return {
      ready: of(fromSensors, 'ready'),
      acknowledged: of(fromSensors, 'acknowledged'),
      commit: of(toSensors, 'commit')[0] ?? Number.NaN,
    };
  } finally {
    client.disconnect();
  }
}
