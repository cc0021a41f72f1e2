// What a command may touch of the outside. `main` builds it from the real process, tests from what they like.
import type { Environment } from './option-sources.ts';
import type { LogLevel } from '@capfleet/shared/log/logger';

/** stderr: a terminal, or anything that takes text. */
export type Talk = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface World {
  /** Result. */
  readonly stdout: { write(text: string): unknown };
  /** Columns of the terminal that stdout is; undefined elsewhere. */
  readonly width: number | undefined;
  /** Talk and progress. */
  readonly stderr: Talk;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** Has the listener called when SIGUSR1 holds the program (true), now if that was before, and SIGCONT lets it go on. */
  readonly onPause: (listener: (isPause: boolean) => void) => void;
  /** The program's main module, to start services from. */
  readonly program: string;
  readonly version: string;
  /** Folder for what outlives a command that was cut short, when the user names no other. */
  readonly stateDir: string;
  /** The variables that begin with CAPFLEET_; processes that are started do not inherit them. */
  readonly environment: Environment;
  /** The other variables, which they do inherit. */
  readonly inherited: Environment;
  /** Has TLS accept what the authorities of these PEM files signed, also in processes that are started. */
  readonly trust: (paths: readonly string[]) => void;
  /** Lines to say on stderr behind what a command failed with. */
  readonly lastWords: string[];
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json: boolean;
  readonly logLevel: LogLevel;
}
