/**
 * Runs the program without the rights of root: as the user it is, or for root as the user nobody. For what depends
 * on rights to files, which root is not held back by.
 */
import { program, runCapfleet, type RunOptions } from './capfleet.ts';

const NOBODY = '65534';

/** Options for `runCapfleet`, or the reason why there is no such user to be had here. */
export async function nobody(): Promise<RunOptions | { reason: string }> {
  if (process.getuid?.() !== 0) return {};
  const as = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
  const options: RunOptions = { through: [...as, process.execPath, program], cwd: '/' };
  const tried = await runCapfleet(['--version'], options).catch((error: unknown) => ({
    code: null,
    stderr: String(error),
  }));
  return tried.code === 0
    ? options
    : { reason: `root cannot run the program as nobody: ${tried.stderr.trim().split('\n')[0] ?? ''}` };
}
