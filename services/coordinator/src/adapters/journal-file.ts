// The journal as a file of JSON lines: a head that says of which mapping it is, then one map per line. A line that
// was not wholly written when the coordinator died is cut off again. One process at a time holds a journal.
import { randomUUID } from 'node:crypto';
import { readSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileMapSchema, type FileMap } from '@capfleet/shared/dataset/file-map';
import { errnoOf, Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { makeFolder } from '@capfleet/shared/source/make-folder';
import type { MapJournal, Place } from '../ports/map-journal.ts';
import { lockFile, type FileLock } from './file-lock.ts';

const BLOCK_BYTES = 1024 * 1024;
const NEWLINE = 10;

interface Head {
  readonly request: string;
  readonly mapping: string;
}

export interface JournalOptions {
  readonly path: string;
  /** What is mapped: a journal that is there is taken up where it is of the same mapping. */
  readonly mapping: string;
  /** The maps to begin a new journal with. */
  readonly seed: AsyncIterable<FileMap> | null;
}

export interface JournalFile extends MapJournal {
  /** Ends the journal: its maps are in the dump, or none came. */
  remove(): Promise<void>;
  /** Leaves it for the next time, where something was mapped meanwhile. @returns whether it did */
  close(): Promise<boolean>;
}

/** @throws Failure `journal-held`, `journal-failed` */
export async function openJournal(options: JournalOptions): Promise<JournalFile> {
  const { path } = options;
  return guarded(path, async () => {
    await makeFolder(dirname(path), 0o700);
    const lock = await lockFile(`${path}.lock`);
    if ('holder' in lock) throw new Failure('journal-held', { pid: lock.holder ?? 'unknown', path });
    try {
      const file = (await takeUp(options)) ?? (await begin(options));
      return journalOf(file, options.path, lock);
    } catch (thrown) {
      await lock.release();
      throw thrown;
    }
  });
}

interface OpenedFile {
  /** It was there before. */
  readonly takenUp: boolean;
  readonly handle: FileHandle;
  readonly request: string;
  /** Where the first map begins, and where the next one goes. */
  readonly start: number;
  readonly end: number;
}

function journalOf(
  { handle, request, start, end: size, takenUp }: OpenedFile,
  path: string,
  lock: FileLock,
): JournalFile {
  let end = size;
  return {
    request,
    async *entries() {
      const until = end;
      for await (const { line, offset } of linesOf(handle, start, until)) {
        const map = parseMap(line);
        if (map) yield { map, place: { offset, length: line.length } };
      }
    },
    append: (maps) =>
      guarded(path, async () => {
        const lines = maps.map((map) => Buffer.from(`${JSON.stringify(map)}\n`));
        const offset = end;
        const places = lines.map((line): Place => {
          const place = { offset: end, length: line.length - 1 };
          end += line.length;
          return place;
        });
        await writeAll(handle, Buffer.concat(lines), offset);
        return places;
      }),
    read: (place) =>
      guarded(path, async () => {
        const line = Buffer.allocUnsafe(place.length);
        // A kilobyte that was just written: waiting for a thread would cost ten times the read.
        readSync(handle.fd, line, 0, place.length, place.offset);
        const map = parseMap(line);
        if (!map) throw new Error(`no map at byte ${String(place.offset)}`);
        return map;
      }),
    willStay: () => takenUp || end > size,
    async remove() {
      await handle.close();
      await rm(path, { force: true });
      await lock.release();
    },
    async close() {
      const worth = end > size;
      await handle.close();
      if (!worth && !takenUp) await rm(path, { force: true });
      await lock.release();
      return worth;
    },
  };
}

/** Opens the journal that an earlier process left, or null where there is none of this mapping. */
async function takeUp({ path, mapping }: JournalOptions): Promise<OpenedFile | null> {
  const handle = await open(path, 'r+').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (!handle) return null;
  const { size } = await handle.stat();
  let head: Head | null = null;
  let start = 0;
  let end = 0;
  for await (const { line, offset } of linesOf(handle, 0, size)) {
    end = offset + line.length + 1;
    if (start > 0) continue;
    head = parseHead(line);
    if (head?.mapping !== mapping) break;
    start = end;
  }
  if (head?.mapping !== mapping) {
    await handle.close();
    return null;
  }
  await handle.truncate(end);
  return { takenUp: true, handle, request: head.request, start, end };
}

async function begin({ path, mapping, seed }: JournalOptions): Promise<OpenedFile> {
  const request = randomUUID();
  const head = Buffer.from(`${JSON.stringify({ v: 1, request, mapping })}\n`);
  const temporary = `${path}.new`;
  const handle = await open(temporary, 'w+', 0o600);
  try {
    let end = await writeAll(handle, head, 0);
    let block: string[] = [];
    const flush = async (): Promise<void> => {
      end = await writeAll(handle, Buffer.from(block.join('')), end);
      block = [];
    };
    for await (const map of seed ?? []) {
      block.push(`${JSON.stringify(map)}\n`);
      if (block.length === 1000) await flush();
    }
    await flush();
    await rename(temporary, path);
    return { takenUp: false, handle, request, start: head.length, end };
  } catch (thrown) {
    await handle.close();
    await rm(temporary, { force: true });
    throw thrown;
  }
}

/** @returns the offset behind the bytes */
async function writeAll(handle: FileHandle, bytes: Buffer, offset: number): Promise<number> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
  return offset + bytes.length;
}

/** Whole lines of a stretch, without their newline. */
async function* linesOf(
  handle: FileHandle,
  from: number,
  to: number,
): AsyncGenerator<{ line: Buffer; offset: number }> {
  let left: Buffer = Buffer.alloc(0);
  for (let position = from; position < to;) {
    const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, to - position));
    const { bytesRead } = await handle.read(block, 0, block.length, position);
    if (bytesRead === 0) return;
    const bytes = Buffer.concat([left, block.subarray(0, bytesRead)]);
    const first = position - left.length;
    position += bytesRead;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield { line: bytes.subarray(start, end), offset: first + start };
      start = end + 1;
    }
    left = bytes.subarray(start);
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function parseHead(line: Buffer): Head | null {
  const { v, request, mapping } = Object(parseJson(line)) as Record<string, unknown>;
  return v === 1 && typeof request === 'string' && typeof mapping === 'string' ? { request, mapping } : null;
}

function parseMap(line: Buffer): FileMap | null {
  return fileMapSchema.safeParse(parseJson(line)).data ?? null;
}

/** What the file system says becomes a failure that names the journal. */
async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    throw new Failure('journal-failed', { path, reason: reasonOf(thrown) }, { cause: thrown });
  }
}
