// Captures in the file system of this host, network mounts included.
import { open, opendir, stat, type FileHandle } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import type { ByteReader } from '../capture/byte-reader.ts';
import { errnoOf, Failure, reasonOf } from '../errors/failure.ts';
import { matches, type Source, type SourceFile } from './source.ts';

/** Below this a second read costs more than it saves. */
const SPLIT_BYTES = 512 * 1024;

export const disk: Source = {
  async *list(folder, filter) {
    const root = resolve(folder);
    const facts = await stat(root).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT')
        throw new Failure('folder-missing', { path: folder, setting: '--source or --dir-src' });
      throw systemFailure(error, folder);
    });
    if (!facts.isDirectory()) yield await describe(root, basename(root));
    else yield* walk(root, root, (path) => matches(path, filter));
  },

  async stat(path) {
    return describe(path, basename(path));
  },

  async open({ path, size }, { from = 0, length: most = Number.POSITIVE_INFINITY } = {}) {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw systemFailure(error, path);
    });
    // The file as it was listed: what is appended later is not looked at.
    const end = Math.min(size, from + most);
    let position = from;
    let closed: Promise<void> | undefined;
    const reader: ByteReader = {
      async read(target, offset, length) {
        const wanted = Math.min(length, end - position);
        if (wanted <= 0) return 0;
        try {
          const bytesRead = await readSideBySide(handle, target, offset, wanted, position);
          position += bytesRead;
          return bytesRead;
        } catch (error) {
          throw systemFailure(error, path);
        }
      },
      get consumed() {
        return position - from;
      },
      close: () => (closed ??= handle.close()),
    };
    return reader;
  },
};

/**
 * Reads a large stretch as two halves at once: what is in the page cache is copied by two threads then.
 * @returns bytes read from the stretch's start on without a hole
 */
async function readSideBySide(
  handle: FileHandle,
  target: Buffer,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  const half = length < SPLIT_BYTES ? length : length >>> 1;
  const rest = length - half;
  const first = handle.read(target, offset, half, position);
  if (rest === 0) return (await first).bytesRead;
  const second = handle.read(target, offset + half, rest, position + half);
  const [{ bytesRead }, { bytesRead: behind }] = await Promise.all([first, second]);
  return bytesRead < half ? bytesRead : half + behind;
}

async function* walk(
  root: string,
  folder: string,
  wanted: (path: string) => boolean,
): AsyncIterable<SourceFile> {
  const entries = await opendir(folder).catch((error: unknown) => {
    if (folder === root) throw systemFailure(error, folder);
    return null;
  });
  if (!entries) {
    // Listed like a file, so that the result names it.
    yield await describeListed(folder, relative(root, folder).split(sep).join('/'));
    return;
  }
  const folders: string[] = [];
  try {
    for await (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (wanted(path) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path))))) {
        yield await describeListed(path, relative(root, path).split(sep).join('/'));
      }
    }
  } catch (error) {
    throw systemFailure(error, folder);
  }
  for (const child of folders) yield* walk(root, child, wanted);
}

/** A file that cannot be looked at (it is gone again, its name is no UTF-8) is listed all the same: reading it tells. */
function describeListed(path: string, name: string): Promise<SourceFile> {
  return describe(path, name).catch(() => ({ path, name, size: 0, version: '0' }));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}

async function describe(path: string, name: string): Promise<SourceFile> {
  try {
    const facts = await stat(path, { bigint: true });
    // Opening a pipe waits for who writes into it, perhaps for ever.
    if (!facts.isFile() && !facts.isDirectory()) throw new Failure('file-special', { path });
    return { path, name, size: Number(facts.size), version: String(facts.mtimeNs) };
  } catch (error) {
    throw error instanceof Failure ? error : systemFailure(error, path);
  }
}

function systemFailure(error: unknown, path: string): Failure {
  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Failure('file-missing', { path }, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new Failure('file-forbidden', { path }, { cause: error });
    default:
      return new Failure('read-failed', { path, reason: reasonOf(error) }, { cause: error });
  }
}
