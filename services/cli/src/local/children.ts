// Service processes that a command starts for the occasion, and ends with itself. They hang on an IPC channel:
// when this process is gone, however it went, they end too.
import { fork, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../option-sources.ts';

const CLOSE_DEADLINE_MS = 15_000;
const RESTART_PAUSE_MS = 300;
const MAX_RESTARTS = 20;
/** One that lived so long is well: what ended it does not count together with what ends it next. */
const HEALTHY_MS = 60_000;

export interface LocalService {
  /** Resolves when it ended on its own and is not started again. */
  readonly ended: Promise<void>;
  /** A word over its channel; lost where it has ended. */
  tell(word: string): void;
  close(): Promise<void>;
}

/**
 * @param program the path of the `capfleet` program's main module
 * @param args as typed after `capfleet`
 * @param options `restart` starts it again where it ends on its own (a crash), `node` are options of Node itself,
 *   `env` is its environment: a URL of Redis belongs there, since everybody on the host can read command lines, and it
 *   may hold a password
 */
export function startLocal(
  program: string,
  args: readonly string[],
  options: { restart: boolean; env: Environment; node?: readonly string[] },
): LocalService {
  let closing = false;
  let restarts = 0;
  let onEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (onEnded = resolve));
  let child = start();

  function start(): ChildProcess {
    // Its own process group: Ctrl-C reaches this process only, which then ends its services in order.
    const started = fork(program, args, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
      env: options.env,
      execArgv: [...process.execArgv, ...(options.node ?? [])],
    });
    const since = performance.now();
    let isGone = false;
    const onGone = (): void => {
      if (closing || isGone) return;
      isGone = true;
      if (performance.now() - since > HEALTHY_MS) restarts = 0;
      if (!options.restart || restarts >= MAX_RESTARTS) {
        onEnded();
        return;
      }
      restarts += 1;
      void sleep(RESTART_PAUSE_MS).then(() => {
        if (!closing) child = start();
      });
    };
    started.once('exit', onGone);
    // No process at all: there is no memory for it, or no number.
    started.once('error', onGone);
    return started;
  }

  return {
    ended,
    tell(word) {
      if (child.connected) child.send(word);
    },
    async close() {
      closing = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise<void>((resolve) =>
        child.once('exit', () => {
          resolve();
        }),
      );
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), CLOSE_DEADLINE_MS);
      await gone;
      clearTimeout(killer);
    },
  };
}
