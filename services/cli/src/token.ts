// The coordinator's token: from a file or from the environment, never from the command line, which every user of the
// host can read.
import { readFile, stat } from 'node:fs/promises';
import { errnoOf, Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { printable } from './show/text.ts';
import type { World } from './world.ts';

const SHORTEST = 16;
/** Rights of all others: a group is given on purpose, as Kubernetes does with what it mounts. */
const OTHERS = 0o007;

/** @throws Failure `token-missing`, `token-file`, `token-unusable` */
export async function tokenOf(
  { tokenFile }: { readonly tokenFile?: string },
  { environment, stderr }: Pick<World, 'environment' | 'stderr'>,
): Promise<string> {
  const place = tokenFile ?? 'CAPFLEET_TOKEN';
  const unusable = (reason: string): Failure => new Failure('token-unusable', { place, reason });
  const text =
    tokenFile === undefined
      ? environment['CAPFLEET_TOKEN']
      : await readFile(tokenFile, 'utf8').catch((error: unknown) => {
          throw unreadable(tokenFile, error);
        });
  const given = text?.trim() ?? '';
  if (given === '' && tokenFile === undefined) throw new Failure('token-missing');
  if (given.length < SHORTEST) throw unusable(`it has fewer than ${String(SHORTEST)} characters`);
  if (!/^[\x21-\x7e]+$/.test(given)) throw unusable('it has other characters than printable ASCII');
  if (tokenFile !== undefined && (await isOpenToOthers(tokenFile)))
    stderr.write(
      `capfleet: others on this host may use the token in ${printable(tokenFile)}; keep it to yourself: chmod 600 ${printable(tokenFile)}\n`,
    );
  return given;
}

function unreadable(tokenFile: string, error: unknown): Failure {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EISDIR: 'it is a folder',
    EACCES: 'this user may not read it',
  };
  const reason = reasons[errnoOf(error) ?? ''] ?? reasonOf(error);
  return new Failure('token-file', { path: tokenFile, reason }, { cause: error });
}

/** Of what is no file, such as the pipe of a shell, the rights say little. */
async function isOpenToOthers(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && found.isFile() && (found.mode & OTHERS) !== 0;
}
