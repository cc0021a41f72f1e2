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
  const told = untilTold();
  const log = createLogger('mapper', options.logLevel);
  const starting = startMapper({ ...options, log });
  // Told before it is ready: there is nothing to hand back.
  const mapper = await Promise.race([starting, told]);
  await told;
  await mapper?.close();
}
