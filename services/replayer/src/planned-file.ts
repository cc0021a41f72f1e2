// A file of a plan as its source knows it: by itself, or as a stretch of the file that holds it.
import type { PlanFile } from '@capfleet/shared/dataset/replay-plan';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { statHolder } from '@capfleet/shared/source/stretch';

/**
 * As it was mapped, so that another file in its place is found out; as it is now where the mapping does not tell.
 * @throws Failure as `Source.stat`
 */
export async function findPlanned(source: Source, file: PlanFile): Promise<SourceFile> {
  const { path, fileSize, version, within } = file;
  if (fileSize !== null && version !== null) {
    return { path, name: path, size: fileSize, version, ...(within && { within }) };
  }
  const holder = await statHolder(source, file);
  if (!within) return holder;
  const size = fileSize ?? Math.max(0, holder.size - within.offset);
  return { path, name: path, size, version: version ?? holder.version, within };
}
