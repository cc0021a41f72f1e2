// Sensors may have the captures elsewhere than where they were mapped: paths are moved from one root to another.
import type { PlanFile } from './replay-plan.ts';
import { Failure } from '../errors/failure.ts';

/** Both are folders, or `s3://bucket/prefix`. */
export interface RootMove {
  readonly from: string;
  readonly to: string;
}

/**
 * The files under their new paths; the longest root that holds a file decides. A copy has times of its own, so of a
 * moved file only the size tells whether it is the one that was mapped.
 * @throws Failure `root-unused` for a move that no file needs: most likely it is mistyped
 */
export function moveRoots(files: readonly PlanFile[], moves: readonly RootMove[]): PlanFile[] {
  const longestFirst = [...moves].sort((a, b) => b.from.length - a.from.length);
  const used = new Set<RootMove>();
  const moved = (path: string): string | null => {
    for (const move of longestFirst) {
      const rest = below(move.from, path);
      if (rest === null) continue;
      used.add(move);
      return join(move.to, rest);
    }
    return null;
  };
  const result = files.map((file): PlanFile => {
    const path = moved(file.path);
    if (path === null) return file;
    const within = file.within && { ...file.within, path: moved(file.within.path) ?? file.within.path };
    return { ...file, path, version: null, ...(within && { within }) };
  });
  const unused = moves.find((move) => !used.has(move));
  if (unused) throw new Failure('root-unused', { root: unused.from, path: files[0]?.path ?? 'none' });
  return result;
}

function below(root: string, path: string): string | null {
  const folder = root.replace(/\/+$/, '');
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : null;
}

function join(root: string, rest: string): string {
  const folder = root.replace(/\/+$/, '');
  return rest === '' ? folder : `${folder}/${rest}`;
}
