// How a capture that was read becomes its map, whichever way it was read: at once, in parts, or from both ends.
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import { breakingKinds, type CaptureWarning } from '@capfleet/shared/capture/warning';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import type { Tally } from './tally.ts';

export function describeFile(
  file: SourceFile,
  info: CaptureInfo,
  tally: Tally,
  warnings: readonly CaptureWarning[],
): MappedFile {
  const { untimed, ...counts } = tally.toRecord();
  const empty = tally.packets === 0 && warnings.length === 0;
  return {
    path: file.path,
    name: file.name,
    fileSize: file.size,
    version: file.version,
    ...(file.within && { within: file.within }),
    status: warnings.some(({ kind }) => breakingKinds.has(kind)) ? 'partial' : 'ok',
    format: info.format,
    compression: info.compression,
    byteOrder: info.byteOrder,
    resolution: info.resolution,
    snaplen: info.snaplen,
    linkTypes: [...info.linkTypes],
    ...counts,
    ...(untimed > 0 && { untimed }),
    warnings: empty
      ? [{ kind: 'no-packets', count: 1, offset: 0, message: 'the capture holds no packet' }]
      : [...warnings],
  };
}

/**
 * A file that grew or was replaced while it was read is an error, not a result.
 * @throws Failure `file-changed`, `file-missing` …
 */
export async function assertUnchanged(source: Source, file: SourceFile): Promise<void> {
  const now = await source.stat(file.path);
  if (now.size === file.size && now.version === file.version) return;
  throw new Failure('file-changed', {
    path: file.path,
    difference:
      now.size === file.size
        ? 'it was written meanwhile'
        : `${String(now.size)} bytes, listed with ${String(file.size)}`,
  });
}
