// The replayer as a process: one agent for one sensor, until it is told to end or its parent is gone.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger, type LogLevel } from '@capfleet/shared/log/logger';
import { untilTold } from '@capfleet/shared/process/lifetime';
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
import { AGENT_CLOSE_LIMIT_MS, runAgent } from './run-agent.ts';

/** Without Redis there is nobody to say goodbye to. */
const CLOSE_DEADLINE_MS = AGENT_CLOSE_LIMIT_MS + 2000;

export interface ReplayerProcessOptions {
  readonly redis: string;
  readonly sensor: string;
  /** An interface, `null`, or `file:PATH`. */
  readonly interface: string;
  readonly roots: readonly string[];
  readonly s3: S3Options;
  readonly pacing: PacingOptions;
  readonly version: string;
  readonly logLevel: LogLevel;
}

/** @throws Failure `native-missing`, `sensor-taken` */
export async function runReplayer(options: ReplayerProcessOptions): Promise<void> {
  const told = untilTold();
  const log = createLogger('replayer', options.logLevel);
  const native = requireNative();
  const systemClock = nativeSystemClock(native);
  const monotonicNow = (): Nanos => native.monotonicNow();
  const instance = randomUUID();
  const { redis, sensor, version } = options;
  const starting = takePlace(redis, sensor).then((place) =>
    runAgent({
      sensor,
      instance,
      place,
      version,
      channel: redisCoordinatorChannel(redis, { sensor, instance }, log),
      prepare: {
        link: parseLink(options.interface),
        interfaces: hostInterfaces(native),
        source: sources(options.s3),
        openFileLimit: openFileLimit(),
        roots: options.roots,
      },
      preparePlay,
      s3: options.s3,
      pacing: options.pacing,
      clocks: new ClockWatch(redisClock(redis), systemClock, monotonicNow),
      systemClock,
      monotonicNow,
      log,
    }),
  );
  const agent = await Promise.race([starting, told]);
  // From the command that started this agent for its one sensor, if one did.
  process.on('message', (word) => {
    if (word === 'pause') agent?.pause();
    else if (word === 'resume') agent?.resume();
  });
  const ended = told.then(() => null);
  const replaced = await Promise.race([ended, agent ? agent.replaced : ended]);
  await Promise.race([agent?.close(), sleep(CLOSE_DEADLINE_MS)]);
  if (replaced) throw replaced;
}
