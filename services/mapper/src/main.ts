// The mapper as a process: runs until it is told to end, or until the parent that started it is gone.
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
import type { Source } from '@capfleet/shared/source/source';
import { noMeters, type MapperMeters } from './meters.ts';
import { startMapper, type Mapper } from './worker.ts';

/** What it takes to end, beside the files at work. */
const CLOSE_MS = 5000;

export interface MapperProcessOptions {
  readonly redis: string;
  readonly roots: readonly string[];
  readonly concurrency: number;
  readonly lockMs: number;
  readonly graceMs: number;
  readonly s3: S3Options;
  /** Where metrics and probes are served; null: nowhere. */
  readonly metricsListen: ListenAddress | null;
  readonly logLevel: LogLevel;
}

/** @throws Failure `listen-failed` */
export async function runMapper(options: MapperProcessOptions): Promise<void> {
  const told = untilTold(options.graceMs + CLOSE_MS);
  const log = createLogger('mapper', options.logLevel, {
    secrets: [...secretsOfUrl(options.redis), ...secretsOfAws(process.env)],
  });
  let mapper: Mapper | undefined;
  const check = async (): Promise<void> => {
    if (!mapper) throw new Failure('service-unready', { service: 'mapper', state: 'starting' });
    return mapper.check();
  };
  const watched = await watch(options, check, log);
  try {
    const { meters } = watched;
    const source = watched.metered(sources(options.s3, watched.watchS3));
    // Told before it is ready: there is nothing to hand back.
    const started = await Promise.race([startMapper({ ...options, source, meters, log }), told]);
    mapper = started ?? undefined;
    await told;
    await mapper?.close();
  } finally {
    // The figures are there until the end: what is handed back counts.
    await watched.served?.close();
  }
}

interface Watched {
  readonly meters: MapperMeters;
  readonly watchS3: WatchS3 | null;
  readonly metered: (source: Source) => Source;
  readonly served: ServedWorker | null;
}

/** What keeps the figures is not loaded where nobody asks for them. */
async function watch(
  { redis, metricsListen: listen }: MapperProcessOptions,
  check: () => Promise<void>,
  log: Logger,
): Promise<Watched> {
  if (!listen) return { meters: noMeters, watchS3: null, metered: (source) => source, served: null };
  const { mapperMetrics } = await import('./metrics.ts');
  const { serveWorker } = await import('@capfleet/shared/service/worker-http');
  const { registry, ...metrics } = mapperMetrics();
  const served = await serveWorker({ service: 'mapper', listen, redis, registry, checks: [check], log });
  return { ...metrics, served };
}
