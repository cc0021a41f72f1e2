// The port to where captures lie: list, stat, read from an offset. Paths are the source's own full names.
import type { ByteReader } from '../capture/byte-reader.ts';
import type { PathPattern } from './path-pattern.ts';

export interface SourceFile {
  /** Full name in the source; what `stat` takes. */
  readonly path: string;
  /** Name below the listed folder, with `/` between its parts. */
  readonly name: string;
  readonly size: number;
  /** With `size` it tells a replaced file: modification time in ns since the epoch on disk, the ETag in S3. */
  readonly version: string;
  /** Set where the file is a stretch of another one (a member of an uncompressed tar): that one, and the byte where
   *  the stretch begins in it. `size` is the stretch's, `version` that of the file which holds it. */
  readonly within?: { readonly path: string; readonly offset: number };
}

/** A stretch of a file, in bytes from its start; to its end where no length is given. */
export interface ByteRange {
  readonly from?: number;
  readonly length?: number;
  /** Bytes that are worth having ahead of the reader, where it needs them at a pace; a source that does not wait for
   *  a network has no use for it. */
  readonly ahead?: number;
}

export interface SourceFilter {
  /** Only names with this ending; '' takes all. */
  readonly suffix: string;
  /** Only paths that match; null takes all. */
  readonly pattern: PathPattern | null;
  /** This one file not: the output of the command that lists. */
  readonly except?: string;
}

export interface Source {
  /**
   * All files below a folder, recursively, in no set order; symbolic links to files are followed, to folders not.
   * Where a file is named instead of a folder, that one, whatever the filter.
   * @throws Failure `folder-missing`, `file-forbidden`; from S3 also `s3-…`
   */
  list(where: string, filter: SourceFilter): AsyncIterable<SourceFile>;
  /** @throws Failure `file-missing`, `file-forbidden`; from S3 also `s3-…` */
  stat(path: string): Promise<SourceFile>;
  /**
   * @param range what will be read; a source that reads ahead stays inside it
   * @throws Failure `file-missing`, `file-forbidden`, `read-failed`; from S3 also `file-changed`, `s3-…`, as do its
   *   reads: the file must have the version that it was listed with
   */
  open(file: SourceFile, range?: ByteRange): Promise<ByteReader>;
}

/** True where a name has the suffix and the path matches the pattern. */
export function matches(path: string, filter: SourceFilter): boolean {
  return (
    path !== filter.except &&
    path.endsWith(filter.suffix) &&
    (filter.pattern === null || filter.pattern.test(path))
  );
}
