// What a mapper does for each kind of job, as far as the queue is not concerned: maps a file, a tarball, a part of a
// file, or joins the parts.
import type { MapTask } from '@capfleet/shared/contract/map-job';
import { partMapSchema, type PartMap } from '@capfleet/shared/contract/part-map';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { mapArchive } from './map-archive.ts';
import { mapFile, type MapFileOptions } from './map-file.ts';
import { quickMap } from './quick-map.ts';
import { canSplit, joinParts, mapPart } from './split-map.ts';

type Give = (map: FileMap) => Promise<void>;

/**
 * Maps a file, or all that is in it where it is a tarball; the last map given is that of the file itself.
 * @throws Failure where it is retryable
 */
export async function mapAny(
  source: Source,
  file: SourceFile,
  { quick }: Extract<MapTask, { do: 'map' }>,
  give: Give,
  options: MapFileOptions,
): Promise<void> {
  // Where every byte costs, a tail as short as the header allows has to do.
  const estimate = quick ? await quickMap(source, file, { trustSnaplen: isS3Path(file.path) }) : null;
  const map = estimate ?? (await mapFile(source, file, options));
  if (map.status !== 'failed' || map.error.code !== 'capture-tarball') return give(map);
  // Who asked knows which members were wanted; reading them all is one pass anyway.
  const counts = await mapArchive(source, file, { suffix: '', pattern: null }, give, options);
  if (!counts.sound) return;
  const { path, name, size, version } = file;
  await give({ path, name, fileSize: size, version, status: 'archive', members: counts.members });
}

/** The part, or null where the file is none that can be split. @throws Failure */
export async function mapStretch(
  source: Source,
  file: SourceFile,
  { from, to }: Extract<MapTask, { do: 'part' }>,
  options: MapFileOptions,
): Promise<PartMap | null> {
  return (await canSplit(source, file)) ? mapPart(source, file, { from, to }, options) : null;
}

/**
 * Joins what the parts' jobs gave; what is missing or does not fit is read here. A file that could not be mapped in
 * parts, a tarball for one, is mapped as any.
 * @throws Failure where it is retryable
 */
export async function mapJoined(
  source: Source,
  file: SourceFile,
  parts: readonly unknown[],
  give: (map: FileMap) => Promise<void>,
  options: MapFileOptions,
): Promise<void> {
  const sound = parts.flatMap((part) => partMapSchema.safeParse(part).data ?? []);
  if (sound.length > 0) await give(await joinParts(source, file, sound, options));
  else await mapAny(source, file, { do: 'map', quick: false }, give, options);
}
