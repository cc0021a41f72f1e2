// The replayer as a process: one agent for one sensor, until it is told to end or its parent is gone.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HEARTBEAT_EXPIRES_MS } from '@capfleet/shared/contract/agent-messages';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger, type Logger, type LogLevel } from '@capfleet/shared/log/logger';
import { secretsOfAws } from '@capfleet/shared/log/scrub';
import { untilTold } from '@capfleet/shared/process/lifetime';
import { secretsOfUrl } from '@capfleet/shared/redis/connect';
import type { ListenAddress } from '@capfleet/shared/service/listen';
import type { ServedWorker } from '@capfleet/shared/service/worker-http';
import type { WatchS3 } from '@capfleet/shared/source/s3/s3-connection';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { sources } from '@capfleet/shared/source/sources';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { hostInterfaces } from './adapters/host-interfaces.ts';
import { requireNative } from './adapters/native-pacer.ts';
import { nativeSystemClock } from './adapters/native-system-clock.ts';
import { takePlace } from './adapters/place.ts';
import { redisClock } from './adapters/redis-clock.ts';
import { redisCoordinatorChannel } from './adapters/redis-coordinator-channel.ts';
import { ClockWatch } from './clock-watch.ts';
import { parseLink } from './link.ts';
import { openFileLimit } from './open-file-limit.ts';
import type { PacingOptions } from './pacing-options.ts';
import { preparePlay } from './play.ts';
import { checkOwnLink } from './prepare.ts';
import { noMeters, type AgentMeters, type AgentSight } from './meters.ts';
import { AGENT_CLOSE_LIMIT_MS, runAgent, type RunningAgent } from './run-agent.ts';

/** Without Redis there is nobody to say goodbye to. */
const CLOSE_DEADLINE_MS = AGENT_CLOSE_LIMIT_MS + 2000;

export interface ReplayerProcessOptions {
  readonly redis: string;
  readonly sensor: string;
  /** An interface, `null`, or `file:PATH`. */
  readonly interface: string;
  readonly roots: readonly string[];
  readonly allowDefaultRouteInterface: boolean;
  readonly s3: S3Options;
  readonly pacing: PacingOptions;
  /** Where metrics and probes are served; null: nowhere. */
  readonly metricsListen: ListenAddress | null;
  readonly version: string;
  readonly logLevel: LogLevel;
}

/** @throws Failure `native-missing`, `sensor-default-route`, `sensor-taken`, `listen-failed` */
export async function runReplayer(options: ReplayerProcessOptions): Promise<void> {
  const told = untilTold();
  const log = createLogger('replayer', options.logLevel, {
    secrets: [...secretsOfUrl(options.redis), ...secretsOfAws(process.env)],
    about: { sensor: options.sensor },
  });
  const native = requireNative();
  const [link, interfaces] = [parseLink(options.interface), hostInterfaces(native)];
  const mayUseDefaultRoute = options.allowDefaultRouteInterface;
  await checkOwnLink({ link, interfaces, mayUseDefaultRoute });
  const systemClock = nativeSystemClock(native);
  const monotonicNow = (): Nanos => native.monotonicNow();
  const instance = randomUUID();
  const { redis, sensor, version } = options;
  let agent: RunningAgent | null = null;
  const { meters, watchS3, served } = await watch(options, () => agent?.look() ?? null, log);
  const starting = takePlace(redis, sensor).then((place) =>
    runAgent({
      sensor,
      instance,
      place,
      version,
      channel: redisCoordinatorChannel(redis, { sensor, instance }, log),
      prepare: {
        link,
        interfaces,
        mayUseDefaultRoute,
        source: sources(options.s3, watchS3),
        openFileLimit: openFileLimit(),
        roots: options.roots,
      },
      preparePlay,
      s3: options.s3,
      pacing: options.pacing,
      clocks: new ClockWatch(redisClock(redis), systemClock, monotonicNow),
      systemClock,
      monotonicNow,
      meters,
      log,
    }),
  );
  agent = (await Promise.race([starting, told])) ?? null;
  // From the command that started this agent for its one sensor, if one did.
  process.on('message', (word) => {
    if (word === 'pause') agent?.pause();
    else if (word === 'resume') agent?.resume();
  });
  const ended = told.then(() => null);
  const replaced = await Promise.race([ended, agent ? agent.replaced : ended]);
  await Promise.race([agent?.close(), sleep(CLOSE_DEADLINE_MS)]);
  await served?.close();
  if (replaced) throw replaced;
}

interface Watched {
  readonly meters: AgentMeters;
  readonly watchS3: WatchS3 | null;
  readonly served: ServedWorker | null;
}

/** What keeps the figures is not loaded where nobody asks for them. */
async function watch(
  { redis, sensor, metricsListen: listen }: ReplayerProcessOptions,
  look: () => AgentSight | null,
  log: Logger,
): Promise<Watched> {
  if (!listen) return { meters: noMeters, watchS3: null, served: null };
  const { replayerMetrics } = await import('./metrics.ts');
  const { serveWorker } = await import('@capfleet/shared/service/worker-http');
  const { registry, meters, watchS3, refresh } = replayerMetrics(sensor, look);
  const check = async (): Promise<void> => {
    const sight = look();
    const unready = (state: string): Failure =>
      new Failure('service-unready', { service: 'replayer', state });
    if (!sight) throw unready('starting');
    if (!sight.isUp) throw new Failure('interface-down', { interface: sight.interface });
    if (sight.registeredAgo > HEARTBEAT_EXPIRES_MS) throw unready('not registered at Redis');
  };
  const served = await serveWorker({
    ...{ service: 'replayer', listen, redis, registry, log },
    ...{ checks: [check], refresh },
  });
  return { meters, watchS3, served };
}
