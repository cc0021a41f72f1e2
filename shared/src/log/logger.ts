// Logs for machines and people: on stderr, one JSON object a line, made by pino; on a terminal as text. Result and progress
// never go here, and no secret does.
import { createRequire } from 'node:module';
import {
  destination,
  pino,
  stdSerializers,
  stdTimeFunctions,
  type DestinationStream,
  type Logger as PinoLogger,
} from 'pino';
import type PinoPretty from 'pino-pretty';
import { errnoOf, reasonOf } from '../errors/failure.ts';
import { escapeControlsIn, escapeLeftControls } from './control-characters.ts';
import { scrubber } from './scrub.ts';

export type Logger = PinoLogger;

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** What is known to be secret; it is blanked wherever it stands. */
  readonly secrets?: readonly string[];
  /** In each line: the sensor, say. */
  readonly about?: Readonly<Record<string, string>>;
}

/** Logs of one service. */
export function createLogger(service: string, level: LogLevel, options: LoggerOptions = {}): Logger {
  const scrub = scrubber(options.secrets ?? []);
  return pino(
    {
      level,
      base: { service, pid: process.pid, ...options.about },
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: plainError },
      redact: { paths: ['password', '*.password', 'redis', '*.redis'], censor: '***' },
      hooks: { streamWrite: (line) => escapeLeftControls(scrub(line)) },
    },
    process.stderr.isTTY ? prettyStream() : destination({ fd: 2, sync: true }),
  );
}

/** Without what clients hang on their errors: a refused command of Redis, for one, with its arguments. */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return reasonOf(error);
  const { type, message, stack } = stdSerializers.err(error);
  return { type, message, stack, code: errnoOf(error) };
}

/** Not loaded where it is not needed. */
function prettyStream(): DestinationStream {
  const require = createRequire(import.meta.url);
  const { build } = require('pino-pretty') as typeof PinoPretty;
  const pretty = build({
    destination: 2,
    sync: true,
    // It would judge by standard output.
    colorize: process.stderr.hasColors(),
    ignore: 'pid,service',
    messageFormat: '{service}: {msg}',
    singleLine: true,
  });
  return { write: (line) => pretty.write(`${escapeControlsIn(line)}\n`) };
}

/** Logs nothing: for libraries and tests that need a logger. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
