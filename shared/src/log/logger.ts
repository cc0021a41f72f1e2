// Logs for machines and people: one JSON object a line on stderr, made by pino. Result and progress never go here.
import { destination, pino, stdTimeFunctions, type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Logs of one service; secrets in known places are blanked. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: ['password', '*.password', 'redis', '*.redis'], censor: '***' },
    },
    destination({ fd: 2, sync: true }),
  );
}

/** Logs nothing: for libraries and tests that need a logger. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
