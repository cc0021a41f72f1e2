// capfleet exampleConfig: a file for `--config` with every option there is, none of them set.
import { Command } from 'commander';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { optionTable, type OptionRow } from '../option-table.ts';
import type { World } from '../world.ts';

const examples = `Examples:
  capfleet exampleConfig > capfleet.yaml
  capfleet replay --config capfleet.yaml
`;

const WIDTH = 100;

/** @param all the commands with their options */
export function exampleConfigCommand(
  run: (action: (world: World) => Promise<ExitCode>) => Promise<void>,
  all: () => Promise<readonly Command[]>,
): Command {
  return new Command('exampleConfig')
    .description('print an example of a file for --config, with every option of every command')
    .addHelpText('before', examples)
    .action(() =>
      run(async ({ stdout }) => {
        stdout.write(exampleConfig(await all()));
        return exitCode.ok;
      }),
    );
}

function exampleConfig(commands: readonly Command[]): string {
  const head = `# Options of capfleet, for --config or CAPFLEET_CONFIG. Remove the # before what you set. What is in the environment (the
# name in brackets) wins over this file, and what is typed over both. Options under \`global\` are for every command that
# has them.
global:
`;
  const sections = optionTable(commands).map(
    ({ name, summary, options }) =>
      `\n# ${summary}\n${name}:\n${options
        .filter(({ key }) => key !== 'config')
        .map(exampleOf)
        .join('')}`,
  );
  return head + sections.join('');
}

function exampleOf({ key, variable, meaning, standard, choices, flags }: OptionRow): string {
  const choice = choices.length === 0 ? '' : ` (${choices.join(', ')})`;
  const value = flags.includes(' ') ? JSON.stringify(standard ?? '…') : 'true';
  const told = wrap(`${meaning}${choice} [${variable}]`, WIDTH).map((line) => `  # ${line}\n`);
  return `${told.join('')}  # ${key}: ${value}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
