// The fence around what a service reads for others: folders of this host, links resolved, and prefixes of buckets.
// `/`, the default, stands for no fence at all, S3 included.
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { isS3Path, parseS3Path, prefixOf, type S3Path } from './s3/s3-path.ts';

/** True where `path` lies in one of the roots. A path on disk that does not exist lies in none. */
export async function isInside(path: string, roots: readonly string[]): Promise<boolean> {
  return isS3Path(path)
    ? isInBucketRoot(path, roots)
    : isInFolder(
        path,
        roots.filter((root) => !isS3Path(root)),
      );
}

/** Keys are literal: `..` in one leads nowhere. */
function isInBucketRoot(path: string, roots: readonly string[]): boolean {
  if (roots.includes('/')) return true;
  const wanted = parsed(path);
  if (!wanted) return false;
  const { bucket, key } = wanted;
  return roots.filter(isS3Path).some((root) => {
    const allowed = parsed(root);
    return allowed?.bucket === bucket && (key === allowed.key || key.startsWith(prefixOf(allowed.key)));
  });
}

/** Null for what is no path of an object; who reads it says so. */
function parsed(path: string): S3Path | null {
  try {
    return parseS3Path(path);
  } catch {
    return null;
  }
}

async function isInFolder(path: string, folders: readonly string[]): Promise<boolean> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return false;
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => null);
    if (root === null) continue;
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return true;
  }
  return false;
}
