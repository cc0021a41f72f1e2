// The files of a plan in memory before the start, as they lie in their source, so that no disk and no network can delay
// a replay. Bounded: a share that does not fit is refused before anything of it is read.
import { fromBytes, readWhole } from '@capfleet/shared/capture/byte-reader';
import type { PlanFile } from '@capfleet/shared/dataset/replay-plan';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { findPlanned } from './planned-file.ts';

/**
 * @param limit bytes that the files may have together
 * @returns a source that has these files
 * @throws Failure `preload-too-large`, those of reading
 */
export async function preload(files: readonly PlanFile[], source: Source, limit: number): Promise<Source> {
  const found: SourceFile[] = [];
  let total = 0;
  for (const file of files) {
    const planned = await findPlanned(source, file);
    total += planned.size;
    found.push(planned);
  }
  if (total > limit) throw new Failure('preload-too-large', { bytes: total, limit, files: files.length });
  const held = new Map<string, Buffer>();
  for (const file of found) {
    held.set(keyOf(file), await readWhole(await source.open(file), file.size));
  }
  return {
    list: (where, filter) => source.list(where, filter),
    stat: (path) => source.stat(path),
    open(file, range = {}) {
      const bytes = held.get(keyOf(file));
      if (!bytes) return source.open(file, range);
      const { from = 0, length = bytes.length } = range;
      return Promise.resolve(fromBytes(bytes.subarray(from, from + length)));
    },
  };
}

function keyOf({ path, within }: SourceFile): string {
  return within ? `${within.path}\0${String(within.offset)}` : path;
}
