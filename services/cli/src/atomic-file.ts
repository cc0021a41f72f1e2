// A file that is either wholly new or wholly old. Whether the place can be written is tried before the work begins;
// nothing stays there meanwhile, so that a folder that is just being listed does not show it.
import { randomUUID } from 'node:crypto';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { DumpTarget } from './dump-target.ts';

/** @throws Failure `dump-unwritable` */
export async function claimFile(path: string): Promise<DumpTarget> {
  // A link stays, and what it points to is replaced.
  const target = await realpath(path).catch(() => resolve(path));
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
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
      if (error instanceof Failure) throw error;
      throw new Failure('dump-unwritable', { path, reason: reasonOf(error) }, { cause: error });
    }
  };
  if (old && !old.isFile()) {
    const reason = old.isDirectory() ? 'it is a folder' : 'it is no regular file; - writes to stdout';
    throw new Failure('dump-unwritable', { path, reason });
  }
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
