// Options from elsewhere than the command line, which they give way to: as values of long flags, checked and read as if they
// had been typed.
import type { Command, Option, OptionValueSource } from 'commander';
import { distance } from 'fastest-levenshtein';
import { reasonOf } from '@capfleet/shared/errors/failure';

export type Setting = string | number | boolean | null | readonly (string | number)[];

/** Keys this far from a flag are none that was meant. */
const NEAR = 3;
const MOST_NEAR = 3;

export interface OptionLayer {
  readonly name: 'env' | 'config';
  /** Those before win, also over what they conflict with. */
  readonly below: readonly OptionValueSource[];
  /** What a flag is called there. */
  readonly called: (key: string) => string;
  readonly invalid: (reason: string) => Error;
}

/**
 * @param settings by the names of the long flags; null says nothing
 * @throws what `layer.invalid` makes
 */
export function applyLayer(
  command: Command,
  settings: ReadonlyMap<string, Setting>,
  { name, below, called, invalid }: OptionLayer,
): void {
  const set = command.options.filter((option) =>
    below.includes(command.getOptionValueSource(option.attributeName())),
  );
  const applied: Option[] = [];
  for (const [key, value] of settings) {
    const option = command.options.find(({ long }) => long === `--${key}`);
    if (!option || key === 'config')
      throw invalid(`${called(key)} is no option of ${command.name()}${nearest(key, command)}`);
    if (set.some((other) => isSame(other, option) || areInConflict(option, other))) continue;
    const no = value === false ? command.options.find(({ long }) => long === `--no-${key}`) : undefined;
    const negation = option.negate ? option : no;
    if (negation) {
      if (typeof value !== 'boolean') throw invalid(`${called(key)} is true or false, not ${String(value)}`);
      if (option.negate && !value) continue;
      command.setOptionValueWithSource(negation.attributeName(), false, name);
      applied.push(negation);
      continue;
    }
    // A flag that is not set says nothing.
    if (value === null || (value === false && (option.isBoolean() || option.optional))) continue;
    const rival = applied.find((other) => areInConflict(option, other));
    if (rival) throw invalid(`${called(key)} cannot be used with ${called(rival.name())}`);
    const parsed = valueOf(option, value, called(key), invalid);
    command.setOptionValueWithSource(option.attributeName(), parsed, name);
    applied.push(option);
  }
}

function isSame(a: Option, b: Option): boolean {
  return a.attributeName() === b.attributeName();
}

function areInConflict(a: Option, b: Option): boolean {
  const conflicts = (one: Option, other: Option): boolean =>
    (one as Option & { conflictsWith: readonly string[] }).conflictsWith.includes(other.attributeName());
  return conflicts(a, b) || conflicts(b, a);
}

/** As the command line would take it. */
function valueOf(option: Option, value: Setting, name: string, invalid: (reason: string) => Error): unknown {
  if (option.isBoolean()) {
    if (value !== true) throw invalid(`${name} is true or false, not ${String(value)}`);
    return true;
  }
  if (value === true && !option.optional) throw invalid(`${name} needs a value`);
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
    throw invalid(`${name}: ${reasonOf(error)}`);
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
