// Where the options of a command come from: the command line over the environment over a file over their defaults.
import { Option, type Command } from 'commander';
import { Failure } from '@capfleet/shared/errors/failure';
import { settingsInFile } from './config-file.ts';
import { applyLayer, type Setting } from './option-layer.ts';
import { parsePath } from './settings.ts';

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'CAPFLEET_';
const YES = /^(1|true|yes|on)$/i;
const NO = /^(0|false|no|off)$/i;

/** The variable that stands for an option; null where none does. */
export function variableOf({ long }: Pick<Option, 'long'>): string | null {
  return long ? PREFIX + long.slice('--'.length).replaceAll('-', '_').toUpperCase() : null;
}

/** Lets a command take options from all of them, with `--config`; what must be there may be in any. */
export function addSources(command: Command, environment: Environment): Command {
  const mandatory = command.options.filter((option) => option.mandatory);
  for (const option of mandatory) option.makeOptionMandatory(false);
  return command
    .addOption(
      new Option(
        '--config <file>',
        'options from a file: YAML, JSON or TOML with the names of the flags',
      ).argParser(parsePath),
    )
    .hook('preAction', (_, acting) => {
      applyLayer(acting, settingsInEnvironment(acting, environment), {
        name: 'env',
        below: ['cli'],
        called: (key) => variableOf({ long: `--${key}` }) ?? key,
        invalid: (reason) => new Failure('environment-invalid', { reason, command: acting.name() }),
      });
      const path = acting.opts<{ config?: string }>().config ?? environment[`${PREFIX}CONFIG`];
      if (path) {
        applyLayer(acting, settingsInFile(path, acting), {
          name: 'config',
          below: ['cli', 'env'],
          called: (key) => key,
          invalid: (reason) => new Failure('config-invalid', { path, reason }),
        });
      }
      for (const option of mandatory) {
        if (acting.getOptionValue(option.attributeName()) === undefined)
          acting.error(`error: required option '${option.flags}' not specified`);
      }
    });
}

/** Other variables than those of the command's options are nobody's business here; an empty one says nothing. */
function settingsInEnvironment({ options }: Command, environment: Environment): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const option of options) {
    const key = option.long?.slice('--'.length);
    const text = environment[variableOf(option) ?? ''];
    if (!key || !text || key === 'config') continue;
    const isFlag = !option.required || options.some(({ long }) => long === `--no-${key}`);
    if (isFlag && YES.test(text)) settings.set(key, true);
    else if (isFlag && NO.test(text)) settings.set(key, false);
    else settings.set(key, option.variadic ? text.split(/\s+/) : text);
  }
  return settings;
}
