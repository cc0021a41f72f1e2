// Settings from a file: YAML, JSON or TOML whose keys are the long flags. `time-modifier: 2` and, as GopherCap has it,
// `time: {modifier: 2}` are the same; what stands below the name of a command is for that command, what stands below
// `global` or at the top for every one.
import { extname } from 'node:path';
import type { Command } from 'commander';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { readSmallFile } from '@capfleet/shared/config/small-file';
import { Failure, errnoOf, reasonOf } from '@capfleet/shared/errors/failure';
import { asFlags, FOREIGN_SECTIONS, sectionsOf } from './gophercap-config.ts';
import type { Setting } from './option-layer.ts';

/** Files that are larger are none that a person wrote; keys and aliases of YAML take the square of their number to read. */
const MOST_BYTES = 200_000;
/** Flags have no more words. */
const MOST_LEVELS = 10;

/**
 * The settings in a file for a command.
 * @throws Failure `config-unreadable`, `config-invalid`
 */
export function settingsInFile(path: string, command: Command): Map<string, Setting> {
  const invalid = (reason: string): Failure => new Failure('config-invalid', { path, reason });
  return settingsOf(readConfig(path), command, invalid);
}

/** @throws Failure `config-unreadable`, `config-invalid` */
function readConfig(path: string): unknown {
  let text: string;
  try {
    text = readSmallFile(path, MOST_BYTES).toString();
  } catch (error) {
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
  const siblings = (command.parent?.commands ?? []).flatMap((sibling) => sectionsOf(sibling.name()));
  const sections = new Set(['global', ...siblings, ...FOREIGN_SECTIONS]);
  const rest = [...top].filter(([key]) => !sections.has(key));
  const named = ['global', ...sectionsOf(command.name())].map((name) => [name, top.get(name)] as const);
  for (const [name, section] of named) {
    if (section != null && !isTable(section)) throw invalid(`${name} is no table of options`);
  }
  const [[, shared] = [], ...own] = named;
  const flatten = (table: Record<string, unknown>, into: Map<string, Setting>): void => {
    if (!flattenInto(table, '', into, MOST_LEVELS)) throw invalid('its keys lie too deep in each other');
  };
  flatten(Object.fromEntries(rest), settings);
  // What is for all commands may be for others only.
  const known = new Set(command.options.map((option) => option.name()));
  const global = new Map<string, Setting>();
  if (isTable(shared)) flatten(shared, global);
  for (const [key, value] of global) if (known.has(key)) settings.set(key, value);
  for (const [, section] of own) if (isTable(section)) flatten(section, settings);
  return asFlags(settings);
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
