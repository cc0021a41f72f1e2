// Every place that captures may lie in, as one source: `s3://…` is S3, all else the file system of this host. A file
// that is a stretch of another one is read out of that one.
import { disk } from './disk.ts';
import type { WatchS3 } from './s3/s3-connection.ts';
import type { S3Options } from './s3/s3-options.ts';
import { isS3Path } from './s3/s3-path.ts';
import { s3Source } from './s3/s3-source.ts';
import type { Source } from './source.ts';
import { openStretch } from './stretch.ts';

/** @param watch is told of each request to S3 */
export function sources(options: S3Options, watch: WatchS3 | null = null): Source {
  const s3 = s3Source(options, watch);
  const sourceOf = (path: string): Source => (isS3Path(path) ? s3 : disk);
  return {
    list: (folder, filter) => sourceOf(folder).list(folder, filter),
    stat: (path) => sourceOf(path).stat(path),
    open: (file, range) => openStretch(sourceOf(file.within?.path ?? file.path), file, range),
  };
}
