// The coordinator's token: from a file or from the environment, never from the command line, which every user of the
// host can read.
import { readFile } from 'node:fs/promises';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { World } from './world.ts';

const SHORTEST = 16;

/** @throws Failure `token-missing`, `token-unusable` */
export async function tokenOf(
  { tokenFile }: { readonly tokenFile?: string },
  { environment }: Pick<World, 'environment'>,
): Promise<string> {
  const place = tokenFile ?? 'CAPFLEET_TOKEN';
  const unusable = (reason: string, cause?: unknown): Failure =>
    new Failure('token-unusable', { place, reason }, { cause });
  const text =
    tokenFile === undefined
      ? environment['CAPFLEET_TOKEN']
      : await readFile(tokenFile, 'utf8').catch((error: unknown) => {
          throw unusable(reasonOf(error), error);
        });
  const given = text?.trim() ?? '';
  if (given === '' && tokenFile === undefined) throw new Failure('token-missing');
  if (given.length < SHORTEST) throw unusable(`it has fewer than ${String(SHORTEST)} characters`);
  if (!/^[\x21-\x7e]+$/.test(given)) throw unusable('it has other characters than printable ASCII');
  return given;
}
