// A lock of the kernel on a file of its own: it ends with the process that holds it, however that ends.
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { tryLock } from 'fs-native-extensions';
import { errnoOf } from '@capfleet/shared/errors/failure';

export interface FileLock {
  /** Lets it go and takes its file away. */
  release(): Promise<void>;
}

/** @returns the lock, or who holds it: the number of a process, null where it has not yet said so */
export async function lockFile(path: string): Promise<FileLock | { readonly holder: number | null }> {
  for (;;) {
    const handle = await open(path, 'a+', 0o600);
    try {
      if (!tryLock(handle.fd)) {
        const pid = Number.parseInt(await handle.readFile('utf8'), 10);
        await handle.close();
        return { holder: pid > 0 ? pid : null };
      }
      // The one before it may have taken the file away between the two calls above.
      if (await isStill(path, handle)) {
        await handle.truncate();
        await handle.write(`${String(process.pid)}\n`);
        return { release: () => rm(path, { force: true }).finally(() => handle.close()) };
      }
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
    await handle.close();
  }
}

async function isStill(path: string, handle: FileHandle): Promise<boolean> {
  const [held, named] = await Promise.all([
    handle.stat(),
    stat(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }),
  ]);
  return held.ino === named?.ino && held.dev === named.dev;
}
