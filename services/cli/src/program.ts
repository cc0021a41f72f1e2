// The commands, and how what they fail with is said. Whatever it touches of the outside is in the world it is given.
import { Command, CommanderError } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { asFailure } from '@capfleet/shared/errors/failure';
import { redactUrl } from '@capfleet/shared/redis/connect';
import { exampleConfigCommand } from './commands/example-config.ts';
import { addSources } from './option-sources.ts';
import { addTrust } from './settings.ts';
import { showFailure } from './show/failure.ts';
import { printable } from './show/text.ts';
import type { World } from './world.ts';

/** The parser of the command line repeats what it refuses, also a URL. */
function withoutPasswords(text: string): string {
  return text.replace(
    /(option '--(?:redis|coordinator|s3-endpoint) [^']*' argument ')(.*?)(' is invalid)/s,
    (_whole, before: string, url: string, after: string) => before + redactUrl(url) + after,
  );
}

type Run = (action: (world: World) => Promise<ExitCode>) => Promise<void>;

const COMPLETE = 'complete';

/** In the order of the help. Each brings libraries that the others do without. */
const commands: Readonly<Record<string, () => Promise<(run: Run) => Command>>> = {
  map: async () => (await import('./commands/map.ts')).mapCommand,
  lanes: async () => (await import('./commands/lanes.ts')).lanesCommand,
  plan: async () => (await import('./commands/plan.ts')).planCommand,
  replay: async () => (await import('./commands/replay.ts')).replayCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  stop: async () => (await import('./commands/stop.ts')).stopCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  edit: async () => (await import('./commands/edit.ts')).editCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  tarExtract: async () => (await import('./commands/tar-extract.ts')).tarExtractCommand,
  coordinator: async () => (await import('./commands/coordinator.ts')).coordinatorCommand,
  mapper: async () => (await import('./commands/mapper.ts')).mapperCommand,
  replayer: async () => (await import('./commands/replayer.ts')).replayerCommand,
};

/** Where one is asked for, the others are there by their names only. */
async function loadCommands(
  asked: string,
  run: Run,
  { environment, trust }: Pick<World, 'environment' | 'trust'>,
): Promise<Command[]> {
  const isOne = Object.hasOwn(commands, asked);
  return Promise.all(
    Object.entries(commands).map(async ([name, load]) =>
      isOne && name !== asked
        ? new Command(name)
        : addTrust(addSources((await load())(run), environment), trust),
    ),
  );
}

/** Every command that does something, with all its options; none of them runs. */
export async function everyCommand(): Promise<Command[]> {
  return loadCommands('', () => Promise.resolve(), { environment: {}, trust: () => undefined });
}

/** The command whose options are asked for: also while its line is still typed (`capfleet complete -- map …`). */
function askedCommand(argv: readonly string[]): string {
  return (argv[0] === COMPLETE ? argv[2] : argv[0]) ?? '';
}

/** @param argv what was typed after `capfleet` */
export async function runProgram(argv: readonly string[], world: World): Promise<ExitCode> {
  let code: ExitCode = exitCode.ok;
  const run: Run = async (action) => {
    code = await action(world);
  };
  const output = {
    writeOut: (text: string) => world.stdout.write(text),
    writeErr: (text: string) => world.stderr.write(withoutPasswords(text)),
  };
  const program = new Command('capfleet')
    .description(
      'maps packet-capture data sets across a cluster and replays them on many sensors at one instant',
    )
    .version(world.version)
    .configureOutput(output)
    .exitOverride()
    .showHelpAfterError('(see --help)');
  for (const command of await loadCommands(askedCommand(argv), run, world)) program.addCommand(command);
  program.addCommand(exampleConfigCommand(run, everyCommand));
  if (!Object.hasOwn(commands, argv[0] ?? '')) (await import('@bomb.sh/tab/commander')).default(program);
  program.commands.forEach((command) =>
    command.configureOutput(output).exitOverride().showHelpAfterError('(see --help)'),
  );

  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCode.ok : exitCode.usage;
    if (world.interrupted.aborted && thrown === world.interrupted.reason) {
      world.stderr.write('capfleet: interrupted\n');
      sayLast(world);
      return exitCode.interrupted;
    }
    const failure = asFailure(thrown);
    if (argv.includes('--json'))
      world.stdout.write(`${JSON.stringify({ error: failure.toRecord() }, null, 2)}\n`);
    world.stderr.write(showFailure(failure));
    sayLast(world);
    if (failure.code === 'internal' && thrown instanceof Error) {
      const lines = (thrown.stack ?? '').split('\n').map(printable);
      world.stderr.write(`${lines.join('\n')}\n`);
    }
    return failure.exit;
  }
}

function sayLast({ lastWords, stderr }: World): void {
  for (const line of lastWords) stderr.write(`          ${line}\n`);
}
