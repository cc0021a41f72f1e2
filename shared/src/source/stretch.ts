// Files that are stretches of other files: a member of an uncompressed tarball is read out of the tarball.
import type { ByteReader } from '../capture/byte-reader.ts';
import { Failure } from '../errors/failure.ts';
import type { ByteRange, Source, SourceFile } from './source.ts';

/** The file whose bytes these are, as it is now. @throws Failure as `Source.stat` */
export function statHolder(source: Source, file: Pick<SourceFile, 'path' | 'within'>): Promise<SourceFile> {
  return source.stat(file.within?.path ?? file.path);
}

/**
 * Opens a file, or the stretch that it is of another one.
 * @throws Failure `file-changed` where the other one is no longer of the file's version, those of `Source.open`
 */
export async function openStretch(
  source: Source,
  file: SourceFile,
  range: ByteRange = {},
): Promise<ByteReader> {
  const { within, size, version } = file;
  if (!within) return source.open(file, range);
  const holder = await statHolder(source, file);
  if (holder.version !== version)
    throw new Failure('file-changed', {
      path: within.path,
      difference: 'it was written after it was mapped',
    });
  const from = Math.min(range.from ?? 0, size);
  const length = Math.min(range.length ?? size, size - from);
  return source.open(holder, { ...range, from: within.offset + from, length });
}
