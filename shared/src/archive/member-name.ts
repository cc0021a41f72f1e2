// Names of members: which of them are taken at all, what a second member of the same name is called, and how a member
// is named as a file of its tarball.
import { createHash } from 'node:crypto';

/** What file systems take, in bytes of UTF-8. */
const MAX_PART_BYTES = 255;
const MAX_NAME_BYTES = 4000;
const MAX_SHOWN = 200;
/** Between a tarball and the member in it, as in `set.tar!/monday/a.pcap`. */
const SEPARATOR = '!/';

export type CheckedName = { readonly name: string; readonly refused: null } | { readonly refused: string };

/** A name as a relative path without `.` and empty parts; or why it is not taken. */
export function checkName(raw: string): CheckedName {
  const refused = refusal(raw);
  if (refused !== null) return { refused };
  const name = raw
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  return name === '' ? { refused: 'it has no name' } : { name, refused: null };
}

function refusal(raw: string): string | null {
  const parts = raw.split('/');
  // eslint-disable-next-line no-control-regex -- these are the ones
  if (/[\u0000-\u001f\u007f-\u009f]/.test(raw)) return 'its name has control characters';
  if (raw.startsWith('/')) return 'its path is absolute';
  if (parts.includes('..')) return 'its path leads upwards';
  if (
    Buffer.byteLength(raw) > MAX_NAME_BYTES ||
    parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)
  )
    return 'its name is too long';
  return null;
}

/** A name of any length in a length that can be shown. */
export function shortName(raw: string): string {
  return raw.length <= MAX_SHOWN ? raw : `${raw.slice(0, MAX_SHOWN)}…`;
}

/** Gives every member of an archive a name of its own. Remembers all names, and nothing else. */
export class DistinctNames {
  /** Key of a name → the last number that was given for it. */
  readonly #taken = new Map<string, number>();

  /**
   * The name itself; for those who come later with `#2`, `#3` … before the first dot of its last part, so that its
   * ending stays.
   */
  take(name: string): string {
    let distinct = name;
    let number = this.#taken.get(keyOf(name)) ?? 0;
    while (this.#taken.has(keyOf(distinct))) {
      number += 1;
      distinct = numbered(name, number);
    }
    this.#taken.set(keyOf(distinct), 1);
    if (distinct !== name) this.#taken.set(keyOf(name), number);
    return distinct;
  }
}

/** 96 bits of a digest: an archive may hold millions of names, as long as it likes. */
function keyOf(name: string): string {
  return createHash('sha256').update(name).digest().toString('latin1', 0, 12);
}

function numbered(name: string, number: number): string {
  const base = name.lastIndexOf('/') + 1;
  const dot = name.indexOf('.', base + 1);
  const at = dot === -1 ? name.length : dot;
  return `${name.slice(0, at)}#${String(number)}${name.slice(at)}`;
}

export function memberPath(tarball: string, name: string): string {
  return tarball + SEPARATOR + name;
}

/** The tarballs that a path may name a member of, the shortest first; none for most paths. */
export function tarballsOf(path: string): string[] {
  const tarballs: string[] = [];
  for (let at = path.indexOf(SEPARATOR); at > 0; at = path.indexOf(SEPARATOR, at + 1)) {
    tarballs.push(path.slice(0, at));
  }
  return tarballs;
}
