// A file of GopherCap, as its `exampleConfig` writes one: sections and keys that are called otherwise than the flags, and every
// option written out, also what was not given. Layout: github.com/StamusNetworks/gophercap, cmd/*.go (viper).
import type { Setting } from './option-layer.ts';

/** Sections of its commands, beside those that are called as here. */
const SECTIONS: ReadonlyMap<string, string> = new Map([['tarExtract', 'tarball']]);
/** Sections of commands that Capfleet has not. */
export const FOREIGN_SECTIONS: readonly string[] = ['filter', 'eve2filter'];

const FLAGS: ReadonlyMap<string, string> = new Map([
  ['disable-wait', 'wait-disable'],
  ['skip-out-of-order', 'skip-ooo'],
  ['reorder-enabled', 'reorder'],
  ['in-file', 'in-tarball'],
]);
/** An empty text there is what was not given. */
const EMPTY = ['dir-src', 'file-regexp', 'in-tarball', 'out-bpf', 'out-dir', 'time-from', 'time-to'];

/** What a command's section may be called. */
export function sectionsOf(command: string): string[] {
  const other = SECTIONS.get(command);
  return other === undefined ? [command] : [command, other];
}

/** @param settings by key, groups joined by dashes */
export function asFlags(settings: ReadonlyMap<string, Setting>): Map<string, Setting> {
  const flags = new Map<string, Setting>();
  for (const [key, value] of settings) {
    const flag = FLAGS.get(key) ?? key;
    flags.set(flag, value === '' && EMPTY.includes(flag) ? null : value);
  }
  // Its duration always stands there.
  if (flags.get('time-scale-enabled') === false) flags.delete('time-scale-duration');
  return flags;
}
