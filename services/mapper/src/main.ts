// The mapper as a process: runs until it is told to end, or until the parent that started it is gone.
import { createLogger, type LogLevel } from '@capfleet/shared/log/logger';
import { untilTold } from '@capfleet/shared/process/lifetime';
import type { S3Options } from '@capfleet/shared/source/s3/s3-options';
import { sources } from '@capfleet/shared/source/sources';
import { startMapper } from './worker.ts';

export interface MapperProcessOptions {
  readonly redis: string;
  readonly roots: readonly string[];
  readonly concurrency: number;
  readonly lockMs: number;
  readonly s3: S3Options;
  readonly logLevel: LogLevel;
}

export async function runMapper(options: MapperProcessOptions): Promise<void> {
  const told = untilTold();
  const log = createLogger('mapper', options.logLevel);
  const starting = startMapper({ ...options, source: sources(options.s3), log });
  // Told before it is ready: there is nothing to hand back.
  const mapper = await Promise.race([starting, told]);
  await told;
  await mapper?.close();
}
