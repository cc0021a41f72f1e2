// Files below a folder of this host, each written beside its place and then moved there. No link below the folder is
// followed, whoever put it there.
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { errnoOf, Failure, reasonOf } from '../errors/failure.ts';
import { makeFolder } from '../source/make-folder.ts';
import type { Sink, SinkFile, SinkOptions } from './sink.ts';

/** Answers of file systems that have no hard links. */
const noLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** @param folder made where it is missing, with the first file */
export function diskSink(folder: string): Sink {
  const root = resolve(folder);
  return {
    pathOf: (name) => join(folder, name),

    async create(name, options) {
      const path = join(root, name);
      try {
        await makeRoot(root);
        await makeFolders(root, name);
        await checkPlace(path, options.overwrite);
        const temporary = join(dirname(path), `.capfleet-${randomUUID()}.tmp`);
        return fileAt(path, temporary, await open(temporary, 'wx'), options);
      } catch (error) {
        throw sinkFailure(error, path);
      }
    },
  };
}

/** The folder itself may be a link: a person chose it. */
async function makeRoot(root: string): Promise<void> {
  try {
    await makeFolder(root);
  } catch (error) {
    const reason = errnoOf(error) === 'EEXIST' ? 'it is not a folder' : reasonOf(error);
    throw new Failure('output-unwritable', { path: root, reason }, { cause: error });
  }
}

/** Makes the folders of a file's name; each is one, and no link to one. */
async function makeFolders(root: string, name: string): Promise<void> {
  let folder = root;
  for (const part of name.split('/').slice(0, -1)) {
    folder = join(folder, part);
    const facts = await lstatOrNull(folder);
    if (!facts) await mkdir(folder);
    else if (facts.isSymbolicLink())
      throw new Failure('output-blocked', {
        path: join(root, name),
        reason: 'a folder of its path is a symbolic link',
      });
    else if (!facts.isDirectory())
      throw new Failure('output-blocked', {
        path: join(root, name),
        reason: 'a folder of its path is a file',
      });
  }
}

async function checkPlace(path: string, overwrite: boolean): Promise<void> {
  const facts = await lstatOrNull(path);
  if (facts?.isDirectory()) throw new Failure('output-blocked', { path, reason: 'a folder has its name' });
  if (facts && !facts.isFile() && !facts.isSymbolicLink())
    throw new Failure('output-blocked', { path, reason: 'it is no regular file' });
  if (facts && !overwrite) throw new Failure('output-exists', { path });
}

function fileAt(path: string, temporary: string, handle: FileHandle, options: SinkOptions): SinkFile {
  let ended: Promise<void> | undefined;
  const abort = (): Promise<void> =>
    (ended ??= (async () => {
      await handle.close().catch(() => undefined);
      await rm(temporary, { force: true });
    })());
  return {
    // No stream of the handle's own: `close` would wait for it, and it is `commit` and `abort` that close the handle.
    writable: new Writable({
      write(chunk: Buffer, _encoding, done) {
        handle.writeFile(chunk).then(() => done(), done);
      },
    }),
    async commit() {
      try {
        if (options.mtime !== null) await handle.utimes(new Date(), Number(options.mtime) / 1e9);
        await handle.close();
        if (options.overwrite) await rename(temporary, path);
        else await moveToFreeName(temporary, path);
      } catch (error) {
        throw sinkFailure(error, path);
      } finally {
        await abort();
      }
    },
    abort,
  };
}

/** A rename would replace a file that has come meanwhile; a new link to the file does not. */
async function moveToFreeName(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!noLinks.has(errnoOf(error) ?? '')) throw error;
    await checkPlace(path, false);
    await rename(temporary, path);
  }
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function sinkFailure(error: unknown, path: string): Failure {
  if (error instanceof Failure) return error;
  switch (errnoOf(error)) {
    case 'EEXIST':
      return new Failure('output-exists', { path }, { cause: error });
    case 'ENAMETOOLONG':
      return new Failure('output-blocked', { path, reason: 'its path is too long' }, { cause: error });
    default:
      return new Failure('output-unwritable', { path, reason: reasonOf(error) }, { cause: error });
  }
}
