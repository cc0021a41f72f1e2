// How many files this process may have open.
import { readFileSync } from 'node:fs';

/** The soft limit, which Node raises to the hard one when it starts. */
export function openFileLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}
