// A file that is either wholly new or wholly old. Whether the place can be written is tried before the work begins;
// nothing stays there meanwhile, so that a folder that is just being listed does not show it.
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';

export interface AtomicFile {
  /** Writes the whole text and puts it in place. @throws Failure `dump-unwritable`; the old file is unchanged */
  commit(text: string): Promise<void>;
}

/** @throws Failure `dump-unwritable` */
export async function claimFile(path: string): Promise<AtomicFile> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${String(process.pid)}.tmp`);
  const old = await stat(target).catch(() => null);
  const write = async (work: (handle: FileHandle) => Promise<void>): Promise<void> => {
    try {
      const handle = await open(temporary, 'wx', old ? old.mode & 0o777 : 0o666);
      try {
        await work(handle);
      } finally {
        await handle.close();
        await rm(temporary, { force: true });
      }
    } catch (error) {
      throw new Failure('dump-unwritable', { path, reason: reasonOf(error) }, { cause: error });
    }
  };
  if (old?.isDirectory()) throw new Failure('dump-unwritable', { path, reason: 'it is a folder' });
  await write(() => Promise.resolve());
  return {
    commit: (text) =>
      write(async (handle) => {
        await handle.writeFile(text);
        await handle.sync();
        await rename(temporary, target);
      }),
  };
}
