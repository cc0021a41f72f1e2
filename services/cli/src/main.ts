// The `capfleet` program: the only module that reads the process, installs signals and exits.
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { allocatorEnvironment } from '@capfleet/shared/process/allocator';
import { trustAlso } from '@capfleet/shared/config/trusted-cas';
import { runProgram } from './program.ts';
import type { World } from './world.ts';

const services = new Set(['coordinator', 'mapper', 'replayer']);

function openWorld(argv: readonly string[], interrupted: AbortSignal): World {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  return {
    stdout: process.stdout,
    width: process.stdout.isTTY ? process.stdout.columns : undefined,
    stderr: process.stderr,
    interrupted,
    onPause: argv[0] === 'replay' ? followPauses() : () => undefined,
    program: fileURLToPath(import.meta.url),
    version,
    stateDir: stateDir(),
    environment: ownVariables(),
    inherited: process.env,
    trust: trustAlso,
    lastWords: [],
  };
}

/** Taken out, so that a service that a command starts has the options that it is given, and no other. */
function ownVariables(): World['environment'] {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith('CAPFLEET_'));
  for (const [name] of own) Reflect.deleteProperty(process.env, name);
  return Object.fromEntries(own);
}

/** By the XDG rules; a user without a home has a folder of their own beside the temporary files. */
function stateDir(): string {
  const { XDG_STATE_HOME: state, HOME: home } = process.env;
  if (state !== undefined && isAbsolute(state)) return join(state, 'capfleet');
  if (home !== undefined && isAbsolute(home)) return join(home, '.local/state/capfleet');
  return join(tmpdir(), `capfleet-${String(process.getuid?.() ?? 0)}`);
}

/** From now on, since Node answers a SIGUSR1 that nobody listens to with its debugger. */
function followPauses(): World['onPause'] {
  let isPaused = false;
  let listener: (isPause: boolean) => void = () => undefined;
  for (const signal of ['SIGUSR1', 'SIGCONT'] as const) {
    process.on(signal, () => {
      if (isPaused === (signal === 'SIGUSR1')) return;
      isPaused = !isPaused;
      listener(isPaused);
    });
  }
  return (wanted) => {
    listener = wanted;
    if (isPaused) listener(true);
  };
}

function interruptOnSignals(interruption: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interruption.signal.aborted) process.exit(exitCode.interrupted);
      interruption.abort();
    });
  }
}

// Who reads the output may have enough of it (`| head`): that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCode.ok);
  process.stderr.write(`capfleet: cannot write the result to standard output: ${error.message}\n`);
  process.exit(exitCode.failed);
});

const argv = process.argv.slice(2);
const interruption = new AbortController();
// For the services that a command starts: they inherit it.
for (const [name, value] of Object.entries(allocatorEnvironment)) process.env[name] ??= value;
// A service handles its own signals; a command is interrupted by the first and ended by the second.
if (!services.has(argv[0] ?? '')) interruptOnSignals(interruption);
const code = await runProgram(argv, openWorld(argv, interruption.signal));
// A write that fails is told after it was made.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
// All is closed by now; what clients keep waiting for (their own time limits) must not hold the process back.
process.exit(code);
