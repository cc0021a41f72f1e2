// The program apart from its process: takes what was typed, runs the one command of it, and tells what went wrong in
// words and as an exit code.
import { Command, CommanderError } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { asFailure } from '@capfleet/shared/errors/failure';
import { printable } from './show/text.ts';
import type { World } from './world.ts';

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

/** @param argv what was typed behind `capfleet` */
export async function runProgram(argv: readonly string[], world: World): Promise<ExitCode> {
  const { stdout, stderr, interrupted } = world;
  let code: ExitCode = exitCode.ok;
  const run: Run = async (action) => {
    code = await action(world);
  };
  const program = new Command('capfleet')
    .description(
      'maps packet-capture data sets across a cluster and replays them on many sensors at one instant',
    )
    .version(world.version);
  for (const command of await loadCommands(argv[0] ?? '', run)) program.addCommand(command);
  for (const command of [program, ...program.commands])
    command
      .exitOverride()
      .showHelpAfterError('(see --help)')
      .configureOutput({
        writeOut: (text) => stdout.write(text),
        writeErr: (text) => stderr.write(text),
      });

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCode.ok : exitCode.usage;
    if (interrupted.aborted && thrown === interrupted.reason) {
      stderr.write('capfleet: interrupted\n');
      sayLast(world);
      return exitCode.interrupted;
    }
    const failure = asFailure(thrown);
    if (argv.includes('--json')) stdout.write(`${JSON.stringify({ error: failure.toRecord() }, null, 2)}\n`);
    stderr.write(`capfleet: ${printable(failure.message)}\n`);
    if (failure.hint !== '') stderr.write(`          ${printable(failure.hint)}\n`);
    sayLast(world);
    if (failure.code === 'internal' && thrown instanceof Error) stderr.write(`${thrown.stack ?? ''}\n`);
    return failure.exit;
  }
}

function sayLast({ lastWords, stderr }: World): void {
  for (const line of lastWords) stderr.write(`          ${line}\n`);
}
