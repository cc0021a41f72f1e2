/** A source whose files are bytes in memory. A test may replace, change or break them while they are read. */
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { Failure } from '@capfleet/shared/errors/failure';
import { matches, type Source, type SourceFile } from '@capfleet/shared/source/source';
import { memoryReader, type MemoryReaderOptions } from './memory-reader.ts';

export interface MemorySource extends Source {
  /** Puts a file there, or another one in its place. */
  put(path: string, bytes: Uint8Array, options?: MemoryReaderOptions): void;
  /** A file whose bytes are made while they are read. */
  putReader(path: string, size: number, open: () => ByteReader): void;
  remove(path: string): void;
  /** Readers opened and not closed. */
  readonly openReaders: number;
}

interface Entry {
  size: number;
  version: string;
  open: (from: number) => ByteReader;
}

export function memorySource(): MemorySource {
  const files = new Map<string, Entry>();
  let stamp = 1_600_000_000_000_000_000n;
  let opened = 0;

  const entryOf = (path: string): Entry => {
    const entry = files.get(path);
    if (!entry) throw new Failure('file-missing', { path });
    return entry;
  };
  const describe = (path: string, name: string): SourceFile => {
    const { size, version } = entryOf(path);
    return { path, name, size, version };
  };
  const put = (path: string, size: number, open: Entry['open']): void => {
    stamp += 1n;
    files.set(path, { size, version: String(stamp), open });
  };

  return {
    async *list(folder, filter) {
      const below = `${folder.replace(/\/+$/, '')}/`;
      const file = below.slice(0, -1);
      if (files.has(file)) {
        yield describe(file, file.slice(file.lastIndexOf('/') + 1));
        return;
      }
      const paths = [...files.keys()].filter((path) => path.startsWith(below));
      if (paths.length === 0)
        throw new Failure('folder-missing', { path: folder, setting: '--source or --dir-src' });
      for (const path of paths) if (matches(path, filter)) yield describe(path, path.slice(below.length));
    },
    async stat(path) {
      return describe(path, path.slice(path.lastIndexOf('/') + 1));
    },
    async open({ path }, { from = 0, length: most = Number.POSITIVE_INFINITY } = {}) {
      const inner = entryOf(path).open(from);
      opened += 1;
      let closed = false;
      return {
        read: (target, offset, length) => inner.read(target, offset, Math.min(length, most - inner.consumed)),
        get consumed() {
          return inner.consumed;
        },
        async close() {
          if (!closed) opened -= 1;
          closed = true;
          await inner.close();
        },
      };
    },
    put(path, bytes, options) {
      put(path, bytes.length, (from) => memoryReader(bytes.subarray(from), options));
    },
    putReader(path, size, open) {
      put(path, size, open);
    },
    remove(path) {
      files.delete(path);
    },
    get openReaders() {
      return opened;
    },
  };
}
