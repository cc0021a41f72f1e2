// The mapper as a process: runs until it is told to end, or until the parent that started it is gone.
import { createLogger, type LogLevel } from '@capfleet/shared/log/logger';
import { untilTold } from '@capfleet/shared/process/lifetime';
import { startMapper } from './worker.ts';

export interface MapperProcessOptions {
  readonly redis: string;
  readonly roots: readonly string[];
  readonly concurrency: number;
  readonly lockMs: number;
  readonly logLevel: LogLevel;
}

export async function runMapper(options: MapperProcessOptions): Promise<void> {
  const log = createLogger('mapper', options.logLevel);
  const mapper = await startMapper({ ...options, log });
  await untilTold();
  await mapper.close();
}
