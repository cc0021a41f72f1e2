// The fence around what a service reads for others: folders of this host, links resolved, and prefixes of buckets.
// `/`, the default, stands for no fence at all, S3 included.
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { isS3Path, parseS3Path, prefixOf, type S3Path } from './s3/s3-path.ts';

/** True where a path lies in one of the roots. A path on disk that does not exist lies in none, but `/`. */
export type Fence = (path: string) => Promise<boolean>;

/** A fence for many paths: folders that are there are resolved once. */
export function fenceOf(roots: readonly string[]): Fence {
  if (roots.includes('/')) return () => Promise.resolve(true);
  const folders = roots.filter((root) => !isS3Path(root));
  const resolved = new Map<string, string>();
  return async (path) => (isS3Path(path) ? isInBucketRoot(path, roots) : isInFolder(path, folders, resolved));
}

export function isInside(path: string, roots: readonly string[]): Promise<boolean> {
  return fenceOf(roots)(path);
}

/** Keys are literal: `..` in one leads nowhere. */
function isInBucketRoot(path: string, roots: readonly string[]): boolean {
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

async function isInFolder(
  path: string,
  folders: readonly string[],
  resolved: Map<string, string>,
): Promise<boolean> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return false;
  for (const folder of folders) {
    const root = resolved.get(folder) ?? (await realpath(folder).catch(() => null));
    if (root === null) continue;
    resolved.set(folder, root);
    if (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep)) return true;
  }
  return false;
}
