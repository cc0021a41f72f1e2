/** Another source, with an account of what is read through it. */
import type { Source } from '@capfleet/shared/source/source';

export interface CountingSource extends Source {
  readonly bytesRead: number;
  readonly opened: number;
}

export function countingSource(source: Source): CountingSource {
  let bytesRead = 0;
  let opened = 0;
  return {
    list: (folder, filter) => source.list(folder, filter),
    stat: (path) => source.stat(path),
    async open(file, range) {
      opened += 1;
      const inner = await source.open(file, range);
      return {
        async read(target, offset, length) {
          const count = await inner.read(target, offset, length);
          bytesRead += count;
          return count;
        },
        get consumed() {
          return inner.consumed;
        },
        close: () => inner.close(),
      };
    },
    get bytesRead() {
      return bytesRead;
    },
    get opened() {
      return opened;
    },
  };
}
