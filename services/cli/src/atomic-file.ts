// A file that is either wholly new or wholly old. Whether the place can be written is tried before the work begins;
// nothing stays there meanwhile, so that a folder that is just being listed does not show it.
import { randomUUID } from 'node:crypto';
import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';

export interface AtomicFile {
  /**
   * Writes the whole text, piece by piece, and puts it in place.
   * @throws Failure `dump-unwritable`; the old file is unchanged
   */
  commit(text: AsyncIterable<string>): Promise<void>;
}

const BLOCK_CHARACTERS = 256 * 1024;

/** @throws Failure `dump-unwritable` */
export async function claimFile(path: string): Promise<AtomicFile> {
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
        await handle.writeFile(inBlocks(text));
        await handle.sync();
        await rename(temporary, target);
      }),
  };
}

/** The same text in pieces that are worth a write. */
export async function* inBlocks(text: AsyncIterable<string>): AsyncGenerator<string> {
  let block = '';
  for await (const piece of text) {
    block += piece;
    if (block.length < BLOCK_CHARACTERS) continue;
    yield block;
    block = '';
  }
  yield block;
}
