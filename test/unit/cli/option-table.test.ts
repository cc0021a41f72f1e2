// The options of all commands: docs/settings.md is their list (UPDATE_DOCS=1 writes it anew), `capfleet exampleConfig` the
// example of a file with them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { applyLayer, type Setting } from '@capfleet/cli/option-layer';
import { optionTable, type OptionRow } from '@capfleet/cli/option-table';
import { everyCommand } from '@capfleet/cli/program';
import { runCapfleet } from '../../support/capfleet.ts';
import { assertWritten, cell } from '../../support/written-docs.ts';

function row({ flags, variable, meaning, standard, choices }: OptionRow): string {
  const more = choices.length === 0 ? '' : `: ${choices.join(', ')}`;
  const cells = [
    `\`${flags}\``,
    `\`${variable}\``,
    standard === null ? '' : `\`${standard}\``,
    meaning + more,
  ];
  return `| ${cells.map(cell).join(' | ')} |`;
}

test('docs/settings.md lists every option of every command', async () => {
  const sections = optionTable(await everyCommand()).map(({ name, summary, options }) =>
    [
      `## capfleet ${name}`,
      `${summary}.`,
      `| option | environment | default | |\n| --- | --- | --- | --- |\n${options.map(row).join('\n')}`,
    ].join('\n\n'),
  );
  const head = `# Settings

Every option of every command may be typed, stand in the environment, or in a file that \`--config\` or \`CAPFLEET_CONFIG\` names.
What is typed wins over the environment, that over the file, and that over the default; it also wins over what it cannot be
used together with. In the environment a flag is \`true\` or \`false\`, an empty variable says nothing, and an option that takes
several values takes them separated by spaces. The file is YAML, JSON or TOML; its keys are the long flags without their
dashes, at the top or below \`global\` for every command and below a command's name for that one. \`time: {modifier: 2}\`, as
GopherCap has it, is \`time-modifier: 2\`. \`capfleet exampleConfig\` prints one with all of them, and \`capfleet complete bash\`
(zsh, fish) the completion for a shell.

The token of a coordinator is no option: \`CAPFLEET_TOKEN\`, or \`--token-file\`.

This page is made from the options themselves: \`UPDATE_DOCS=1 node --test test/unit/cli/option-table.test.ts\`.`;
  await assertWritten('settings.md', `${[head, ...sections].join('\n\n')}\n`);
});

describe('capfleet exampleConfig', () => {
  const example = async (): Promise<string> => {
    const { code, stdout, stderr } = await runCapfleet(['exampleConfig']);
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  };

  test('sets nothing', async () => {
    const sections = parse(await example()) as Record<string, unknown>;
    const names = (await everyCommand()).map((command) => command.name());
    assert.deepEqual(Object.keys(sections), ['global', ...names]);
    assert.ok(Object.values(sections).every((section) => section === null));
  });

  test('shows each option as a file may have it, with its default', async () => {
    const uncommented = (await example()).replaceAll(/^ {2}# ([a-z0-9-]+: (?:".*"|true))$/gm, '  $1');
    const sections = parse(uncommented) as Record<string, Record<string, Setting> | null>;
    for (const command of await everyCommand()) {
      const shown = Object.entries(sections[command.name()] ?? {});
      const keys = command.options.map(({ long }) => long?.slice(2)).filter((key) => key !== 'config');
      assert.deepEqual(
        shown.map(([key]) => key),
        keys,
        command.name(),
      );
      const [before, standard] = [
        command.opts(),
        shown.filter(([, value]) => value !== '…' && value !== true),
      ];
      const layer = { name: 'config', below: [], called: (key: string) => key } as const;
      applyLayer(command, new Map(standard), { ...layer, invalid: (reason) => new Error(reason) });
      assert.deepEqual(command.opts(), before, command.name());
    }
  });
});

describe('capfleet complete', () => {
  const suggested = async (...line: string[]): Promise<string[]> => {
    const { stdout } = await runCapfleet(['complete', '--', ...line], {});
    return stdout.split('\n').map((text) => text.split('\t')[0] ?? '');
  };

  test('suggests commands, options and what an option may be', async () => {
    assert.ok((await suggested('re')).includes('replay'));
    assert.ok((await suggested('replay', '--assign-')).includes('--assign-by'));
    assert.ok((await suggested('replay', '--assign-by', '')).includes('flow'));
  });

  test('prints what a shell runs', async () => {
    const { code, stdout } = await runCapfleet(['complete', 'bash'], {});
    assert.equal(code, 0);
    assert.match(stdout, /complete -F \S+ capfleet/);
  });
});
