// Whether two names are of one file: by links, by a detour, or as they are.
import { stat } from 'node:fs/promises';

/** False where one of them is not there, or not on this host. */
export async function isSameFile(path: string, other: string): Promise<boolean> {
  const facts = (each: string) => stat(each, { bigint: true }).catch(() => null);
  const [one, two] = await Promise.all([facts(path), facts(other)]);
  return one !== null && one.dev === two?.dev && one.ino === two.ino;
}
