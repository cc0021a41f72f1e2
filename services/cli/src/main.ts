// The `capfleet` program: the only module that reads the process, installs signals and exits.
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { asFailure } from '@capfleet/shared/errors/failure';
import { allocatorEnvironment } from '@capfleet/shared/process/allocator';
import { showFailure } from './show/failure.ts';
import type { World } from './world.ts';

const services = new Set(['mapper', 'replayer']);

type Run = (action: (world: World) => Promise<ExitCode>) => Promise<void>;

/** In the order of the help. Each brings libraries that the others do without. */
const commands: Readonly<Record<string, () => Promise<(run: Run) => Command>>> = {
  map: async () => (await import('./commands/map.ts')).mapCommand,
  lanes: async () => (await import('./commands/lanes.ts')).lanesCommand,
  replay: async () => (await import('./commands/replay.ts')).replayCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  edit: async () => (await import('./commands/edit.ts')).editCommand,
  tarExtract: async () => (await import('./commands/tar-extract.ts')).tarExtractCommand,
  mapper: async () => (await import('./commands/mapper.ts')).mapperCommand,
  replayer: async () => (await import('./commands/replayer.ts')).replayerCommand,
};

/** Where one is asked for, the others are there by their names only. */
async function loadCommands(asked: string, run: Run): Promise<Command[]> {
  const isOne = Object.hasOwn(commands, asked);
  return Promise.all(
    Object.entries(commands).map(async ([name, load]) =>
      isOne && name !== asked ? new Command(name) : (await load())(run),
    ),
  );
}

async function main(argv: readonly string[]): Promise<ExitCode> {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  const interruption = new AbortController();
  const world: World = {
    stdout: process.stdout,
    width: process.stdout.isTTY ? process.stdout.columns : undefined,
    stderr: process.stderr,
    interrupted: interruption.signal,
    onPause: argv[0] === 'replay' ? followPauses() : () => undefined,
    program: fileURLToPath(import.meta.url),
    version,
    stateDir: stateDir(),
    lastWords: [],
  };
  let code: ExitCode = exitCode.ok;
  // For the services that a command starts: they inherit it.
  for (const [name, value] of Object.entries(allocatorEnvironment)) process.env[name] ??= value;
  // A service handles its own signals; a command is interrupted by the first and ended by the second.
  if (!services.has(argv[0] ?? '')) interruptOnSignals(interruption);
  const run: Run = async (action) => {
    code = await action(world);
  };

  const program = new Command('capfleet')
    .description(
      'maps packet-capture data sets across a cluster and replays them on many sensors at one instant',
    )
    .version(version)
    .exitOverride()
    .showHelpAfterError('(see --help)');
  for (const command of await loadCommands(argv[0] ?? '', run)) program.addCommand(command);
  program.commands.forEach((command) => command.exitOverride().showHelpAfterError('(see --help)'));

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCode.ok : exitCode.usage;
    if (interruption.signal.aborted && thrown === interruption.signal.reason) {
      process.stderr.write('capfleet: interrupted\n');
      sayLast(world);
      return exitCode.interrupted;
    }
    const failure = asFailure(thrown);
    if (argv.includes('--json'))
      process.stdout.write(`${JSON.stringify({ error: failure.toRecord() }, null, 2)}\n`);
    process.stderr.write(showFailure(failure));
    sayLast(world);
    if (failure.code === 'internal' && thrown instanceof Error)
      process.stderr.write(`${thrown.stack ?? ''}\n`);
    return failure.exit;
  }
}

/** By the XDG rules; a user without a home has a folder of their own beside the temporary files. */
function stateDir(): string {
  const { XDG_STATE_HOME: state, HOME: home } = process.env;
  if (state !== undefined && isAbsolute(state)) return join(state, 'capfleet');
  if (home !== undefined && isAbsolute(home)) return join(home, '.local/state/capfleet');
  return join(tmpdir(), `capfleet-${String(process.getuid?.() ?? 0)}`);
}

function sayLast({ lastWords, stderr }: World): void {
  for (const line of lastWords) stderr.write(`          ${line}\n`);
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

const code = await main(process.argv.slice(2));
// A write that fails is told after it was made.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
// All is closed by now; what clients keep waiting for (their own time limits) must not hold the process back.
process.exit(code);
