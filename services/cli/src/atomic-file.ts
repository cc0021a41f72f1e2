// A file that is either wholly new or wholly old. The place is claimed before the work begins, so that an output
// that cannot be written is known at once.
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';

export interface AtomicFile {
  /** Writes the whole text and puts it in place. @throws Failure `dump-unwritable`; the old file is unchanged */
  commit(text: string): Promise<void>;
  /** Gives the place up; nothing stays behind. Does nothing after `commit`. */
  discard(): Promise<void>;
}

/** @throws Failure `dump-unwritable` */
export async function claimFile(path: string): Promise<AtomicFile> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${String(process.pid)}.tmp`);
  const unwritable = (error: unknown): Failure =>
    new Failure('dump-unwritable', { path, reason: reasonOf(error) }, { cause: error });
  const old = await stat(target).catch(() => null);
  if (old?.isDirectory()) throw new Failure('dump-unwritable', { path, reason: 'it is a folder' });
  const handle = await open(temporary, 'wx', old ? old.mode & 0o777 : 0o666).catch((error: unknown) => {
    throw unwritable(error);
  });
  let settled = false;
  const discard = async (): Promise<void> => {
    if (settled) return;
    settled = true;
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
  };
  return {
    async commit(text) {
      try {
        await handle.writeFile(text);
        await handle.sync();
        await handle.close();
        await rename(temporary, target);
        settled = true;
      } catch (error) {
        await discard();
        throw unwritable(error);
      }
    },
    discard,
  };
}
