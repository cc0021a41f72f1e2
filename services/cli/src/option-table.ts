// All options of all commands as data: what the list of settings and the example of a file are made of.
import type { Command, Option } from 'commander';
import { variableOf } from './option-sources.ts';

export interface OptionRow {
  /** As typed: `--limit <n>`. */
  readonly flags: string;
  /** In a file. */
  readonly key: string;
  /** In the environment. */
  readonly variable: string;
  readonly meaning: string;
  /** As it would be typed; null where there is none. */
  readonly standard: string | null;
  readonly choices: readonly string[];
}

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionRow[];
}

export function optionTable(commands: readonly Command[]): CommandRow[] {
  return commands.map((command) => ({
    name: command.name(),
    summary: command.description(),
    options: command.options
      .filter((option) => option.long && !option.hidden)
      .map((option) => ({
        flags: option.flags,
        key: option.long?.slice('--'.length) ?? '',
        variable: variableOf(option) ?? '',
        meaning: option.description,
        standard: standardOf(option),
        choices: option.argChoices ?? [],
      })),
  }));
}

function standardOf({ defaultValue, defaultValueDescription, negate }: Option): string | null {
  const value: unknown = defaultValueDescription ?? defaultValue;
  if (negate) return null;
  if (Array.isArray(value)) return value.length === 0 ? null : value.join(' ');
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}
