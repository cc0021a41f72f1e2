// Names of objects: `s3://bucket/key`. The key is literal, never URL-encoded, so that every key has exactly one name
// and what a listing prints can be typed.
import { Failure } from '../../errors/failure.ts';

const SCHEME = 's3://';

export interface S3Path {
  readonly bucket: string;
  /** '' is the bucket itself. */
  readonly key: string;
}

export function isS3Path(path: string): boolean {
  return path.startsWith(SCHEME);
}

/** @throws Failure `s3-path-invalid` */
export function parseS3Path(path: string): S3Path {
  const slash = path.indexOf('/', SCHEME.length);
  const bucket = path.slice(SCHEME.length, slash < 0 ? undefined : slash);
  // Old buckets may have capitals and underscores; more than a name is not let through into a host name.
  if (!isS3Path(path) || !/^[\w.-]{3,255}$/.test(bucket)) throw new Failure('s3-path-invalid', { path });
  return { bucket, key: slash < 0 ? '' : path.slice(slash + 1) };
}

export function formatS3Path({ bucket, key }: S3Path): string {
  return `${SCHEME}${bucket}/${key}`;
}

/** What all keys below a folder begin with: the key and a slash; nothing for the bucket itself. */
export function prefixOf(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}
