// How a capture that was read becomes its map, whichever way it was read: at once, in parts, or from both ends.
import type { CaptureInfo } from '@capfleet/shared/capture/packet-reader';
import { breakingKinds, type CaptureWarning } from '@capfleet/shared/capture/warning';
import type { MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { isCalendarInstant } from '@capfleet/shared/time/nanos';
import type { Tally } from './tally.ts';

export function describeFile(
  file: SourceFile,
  info: CaptureInfo,
  tally: Tally,
  warnings: readonly CaptureWarning[],
): MappedFile {
  const { untimed, ...counts } = tally.toRecord();
  const reason = whyOutside(tally, warnings.length > 0);
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
    warnings: reason ? [...warnings, { ...reason, count: 1, offset: 0 }] : [...warnings],
  };
}

/** What keeps a readable capture out of the set's time line. */
function whyOutside(tally: Tally, alreadyTold: boolean): Pick<CaptureWarning, 'kind' | 'message'> | null {
  const { packets, earliest, latest } = tally;
  if (packets === 0)
    return alreadyTold ? null : { kind: 'no-packets', message: 'the capture holds no packet' };
  if (earliest === null || latest === null)
    return { kind: 'no-stamps', message: 'no packet of the capture has a stamp' };
  if (isCalendarInstant(earliest) && isCalendarInstant(latest)) return null;
  return { kind: 'no-calendar-time', message: 'the capture has a stamp outside of the years 0 to 9999' };
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
