// The coordinator as a process: owns the runs in its Redis, and serves the API, until it is told to end.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MapRecord } from '@capfleet/shared/contract/map-record';
import type { RunReport } from '@capfleet/shared/contract/report';
import { createLogger, type Logger, type LogLevel } from '@capfleet/shared/log/logger';
import { secretsOfAws } from '@capfleet/shared/log/scrub';
import { untilTold } from '@capfleet/shared/process/lifetime';
import { redactUrl, secretsOfUrl } from '@capfleet/shared/redis/connect';
import { redisHealth } from '@capfleet/shared/redis/health';
import { listenOn, type ListenAddress } from '@capfleet/shared/service/listen';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { fenceOf } from '@capfleet/shared/source/roots';
import { sources } from '@capfleet/shared/source/sources';
import { bullBoard } from './adapters/bull-board.ts';
import { mapQueueCounts } from './adapters/bullmq-queue-counts.ts';
import { bullmqMapJobs } from './adapters/bullmq-map-jobs.ts';
import { redisMapStore } from './adapters/redis-map-store.ts';
import { redisPlanStore } from './adapters/redis-plan-store.ts';
import { redisRunWorld } from './adapters/redis-run-world.ts';
import { redisSetStore } from './adapters/redis-set-store.ts';
import { buildApi } from './http/build-api.ts';
import { coordinatorMetrics } from './metrics.ts';
import { carryMap } from './usecases/carry-map.ts';
import { keep } from './usecases/keeper.ts';
import { resumeRun } from './usecases/replay-run.ts';

/** Without Redis there is nothing to give back. */
const CLOSE_DEADLINE_MS = 5000;

export interface CoordinatorProcessOptions {
  readonly redis: string;
  readonly listen: ListenAddress;
  readonly token: string;
  /** Folder of the page's files; null: none is served. */
  readonly page: string | null;
  /** Folders and S3 prefixes whose files may be mapped. */
  readonly roots: readonly string[];
  /** How they are listed. */
  readonly s3: S3Options;
  readonly version: string;
  readonly logLevel: LogLevel;
}

/** @throws Failure `listen-failed` */
export async function runCoordinator(options: CoordinatorProcessOptions): Promise<void> {
  const told = untilTold();
  const { redis, listen, token, page, version } = options;
  const log = createLogger('coordinator', options.logLevel, {
    secrets: [token, ...secretsOfUrl(redis), ...secretsOfAws(process.env)],
  });
  const closing = new AbortController();
  const metrics = coordinatorMetrics();
  const runs = redisRunWorld(redis, log);
  const health = redisHealth(redis, 'coordinator', log);
  const sets = redisSetStore(redis, log);
  const plans = redisPlanStore(redis, log);
  const maps = redisMapStore(redis, randomUUID(), log);
  const mayRead = fenceOf(options.roots);
  const mapWorld = {
    store: maps,
    sets,
    source: sources(options.s3, metrics.watchS3),
    mayRead,
    jobsOf: ({ map: request, quick, splitSize }: MapRecord) =>
      bullmqMapJobs(redis, { request, quick, splitSize }, log),
    redis: redactUrl(redis),
  };
  const mapKeeper = keep({
    what: 'map',
    adrift: () => maps.adrift(),
    carry: async (map, leave) => (await carryMap(mapWorld, map, leave)).state,
    log,
  });
  let latestSkew: RunReport['startSkew'] = null;
  const keeper = keep({
    what: 'run',
    adrift: () => runs.store.adrift(),
    async carry(run, leave) {
      const { outcome, startSkew } = await carryRun(redis, run, leave, log);
      latestSkew = startSkew ?? latestSkew;
      return outcome;
    },
    log,
  });
  const mapQueue = mapQueueCounts(redis, log);
  const board = bullBoard(redis, log);
  const kept = { ...runs, sets, plans, maps, keeper, mapKeeper, mapQueue, board, mayRead };
  const startSkew = (): RunReport['startSkew'] => latestSkew;
  const api = await buildApi({
    ...kept,
    startSkew,
    health,
    metrics,
    closing: closing.signal,
    token,
    page,
    version,
    log,
  });
  try {
    const address = await listenOn(api, listen, '--listen');
    log.info({ address }, 'coordinator ready');
    await told;
  } finally {
    closing.abort();
    const closed = Promise.all([
      keeper.close(),
      mapKeeper.close(),
      api.close(),
      mapQueue.close(),
      board.close(),
    ]).then(() => runs.close());
    await Promise.race([closed, sleep(CLOSE_DEADLINE_MS)]);
    for (const each of [health, sets, plans, maps]) each.close();
  }
}

/** Each run is carried through with connections of its own. */
async function carryRun(redis: string, run: string, leave: AbortSignal, log: Logger): Promise<RunReport> {
  const world = redisRunWorld(redis, log);
  try {
    const interrupted = new AbortController().signal;
    return await resumeRun(world, run, { interrupted, leave, onChange: () => undefined });
  } finally {
    await world.close();
  }
}
