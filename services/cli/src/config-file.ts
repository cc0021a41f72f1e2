// Options from a file: YAML, JSON or TOML whose keys are the long flags. `time-modifier: 2` and, as GopherCap has it,
// `time: {modifier: 2}` are the same; what stands below the name of a command is for that command, what stands below
// `global` or at the top for every one. What the command line says wins, also over what it conflicts with.
import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { Option, type Command } from 'commander';
import { distance } from 'fastest-levenshtein';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { Failure, errnoOf, reasonOf } from '@capfleet/shared/errors/failure';
import { parsePath } from './settings.ts';

/** Files that are larger are none that a person wrote. */
const MOST_BYTES = 1_000_000;
/** Keys this far from a flag are none that was meant. */
const NEAR = 3;
const MOST_NEAR = 3;
/** Flags have no more words. */
const MOST_LEVELS = 10;

/** Adds `--config` to a command. */
export function addConfigOption(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--config <file>',
        'options from a file: YAML, JSON or TOML with the names of the flags',
      ).argParser(parsePath),
    )
    .hook('preAction', (_, acting) => {
      const { config } = acting.opts<{ config?: string }>();
      if (config !== undefined) applyConfig(acting, config);
    });
}

/** @throws Failure `config-unreadable`, `config-invalid` */
function applyConfig(command: Command, path: string): void {
  const invalid = (reason: string): Failure => new Failure('config-invalid', { path, reason });
  const typed = command.options.filter((option) => isTyped(command, option));
  const applied: Option[] = [];
  for (const [key, value] of settingsOf(readConfig(path), command, invalid)) {
    const option = command.options.find(({ long }) => long === `--${key}`);
    if (!option || key === 'config')
      throw invalid(`${key} is no option of ${command.name()}${nearest(key, command)}`);
    if (typed.some((other) => other === option || areInConflict(option, other))) continue;
    const no = value === false ? command.options.find(({ long }) => long === `--no-${key}`) : undefined;
    const negation = option.negate ? option : no;
    if (negation) {
      if (typeof value !== 'boolean') throw invalid(`${key} is true or false, not ${String(value)}`);
      if (option.negate && !value) continue;
      command.setOptionValueWithSource(negation.attributeName(), false, 'config');
      applied.push(negation);
      continue;
    }
    // A flag that is not set says nothing.
    if (value === null || (value === false && option.isBoolean())) continue;
    const rival = applied.find((other) => areInConflict(option, other));
    if (rival) throw invalid(`${key} cannot be used with ${rival.name()}`);
    command.setOptionValueWithSource(option.attributeName(), valueOf(option, value, key, invalid), 'config');
    applied.push(option);
  }
}

function isTyped(command: Command, option: Option): boolean {
  return command.getOptionValueSource(option.attributeName()) === 'cli';
}

function areInConflict(a: Option, b: Option): boolean {
  const conflicts = (one: Option, other: Option): boolean =>
    (one as Option & { conflictsWith: readonly string[] }).conflictsWith.includes(other.attributeName());
  return conflicts(a, b) || conflicts(b, a);
}

type Setting = string | number | boolean | null | readonly (string | number)[];

/** @throws Failure `config-unreadable`, `config-invalid` */
function readConfig(path: string): unknown {
  let text: string;
  try {
    const facts = statSync(path);
    // A pipe may wait for ever, a device may never end.
    if (!facts.isFile() && !facts.isDirectory()) throw new Error('it is no regular file');
    if (facts.size > MOST_BYTES) throw new Failure('config-invalid', { path, reason: 'it is too long' });
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Failure) throw error;
    const reason = errnoOf(error) === 'ENOENT' ? 'there is no such file' : reasonOf(error);
    throw new Failure('config-unreadable', { path, reason }, { cause: error });
  }
  try {
    // JSON is YAML, too.
    return extname(path).toLowerCase() === '.toml' ? parseToml(text) : parseYaml(text, { logLevel: 'error' });
  } catch (error) {
    const [reason = ''] = reasonOf(error).split('\n');
    throw new Failure('config-invalid', { path, reason }, { cause: error });
  }
}

/** The settings for a command, those that are for it alone last. */
function settingsOf(
  config: unknown,
  command: Command,
  invalid: (reason: string) => Failure,
): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  if (config === null || config === undefined) return settings;
  const top = new Map(Object.entries(asTable(config)));
  const commands = new Set((command.parent?.commands ?? []).map((sibling) => sibling.name()));
  const own = top.get(command.name());
  const shared = top.get('global');
  const rest = [...top].filter(([key]) => key !== 'global' && !commands.has(key));
  for (const [name, section] of [
    [command.name(), own],
    ['global', shared],
  ] as const) {
    if (section != null && !isTable(section)) throw invalid(`${name} is no table of options`);
  }
  const flatten = (table: Record<string, unknown>, into: Map<string, Setting>): void => {
    if (!flattenInto(table, '', into, MOST_LEVELS)) throw invalid('its keys lie too deep in each other');
  };
  flatten(Object.fromEntries(rest), settings);
  // What is for all commands may be for others only.
  const known = new Set(command.options.map((option) => option.name()));
  const global = new Map<string, Setting>();
  if (isTable(shared)) flatten(shared, global);
  for (const [key, value] of global) if (known.has(key)) settings.set(key, value);
  if (isTable(own)) flatten(own, settings);
  return settings;
}

function asTable(value: unknown): Record<string, unknown> {
  return isTable(value) ? value : { [String(value)]: null };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** @returns false where a table lies deeper than `levels`, or in itself (an alias of YAML) */
function flattenInto(
  table: Record<string, unknown>,
  prefix: string,
  into: Map<string, Setting>,
  levels: number,
): boolean {
  if (levels === 0) return false;
  return Object.entries(table).every(([key, value]) => {
    const name = prefix + key.replaceAll(/[._]/g, '-');
    if (isTable(value)) return flattenInto(value, `${name}-`, into, levels - 1);
    into.set(name, settingOf(value));
    return true;
  });
}

function settingOf(value: unknown): Setting {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  // TOML's own times, as they would be typed.
  return value instanceof Date ? value.toISOString() : null;
}

/** As the command line would take it. */
function valueOf(option: Option, value: Setting, key: string, invalid: (reason: string) => Failure): unknown {
  if (option.isBoolean()) {
    if (value !== true) throw invalid(`${key} is true or false, not ${String(value)}`);
    return true;
  }
  if (value === true && !option.optional) throw invalid(`${key} needs a value`);
  const parser = option as Option & {
    parseArg?: (text: string, before: unknown) => unknown;
    presetArg?: unknown;
  };
  const texts = Array.isArray(value)
    ? value.map(String)
    : [value === true ? String(parser.presetArg) : String(value)];
  try {
    let parsed: unknown = undefined;
    if (option.variadic && !parser.parseArg) return texts;
    for (const text of texts) parsed = parser.parseArg ? parser.parseArg(text, parsed) : text;
    return parsed;
  } catch (error) {
    throw invalid(`${key}: ${reasonOf(error)}`);
  }
}

function nearest(key: string, command: Command): string {
  const names = command.options.map((option) => option.name());
  const words = new Set(key.split('-'));
  const near = names
    .map((name) => ({ name, far: distance(key, name) }))
    .filter(({ name, far }) => far <= NEAR || [...words].sort().join() === name.split('-').sort().join())
    .sort((a, b) => a.far - b.far)
    .slice(0, MOST_NEAR);
  return near.length === 0 ? '' : `; near it: ${near.map(({ name }) => name).join(', ')}`;
}
