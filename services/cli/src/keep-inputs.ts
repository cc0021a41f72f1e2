// Keeps what a command reads from being written over: a mapping may have taken days.
import { Failure } from '@capfleet/shared/errors/failure';
import { isSameFile } from '@capfleet/shared/source/same-file';

/**
 * @param out the file that is to be written, and the option that named it
 * @param inputs what each is to the user → where it is
 * @throws Failure `setting-invalid`
 */
export async function checkKeeps(
  command: string,
  out: { readonly setting: string; readonly path: string },
  inputs: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  for (const [what, path] of Object.entries(inputs)) {
    if (path === undefined || !(await isSameFile(out.path, path))) continue;
    throw new Failure('setting-invalid', {
      setting: out.setting,
      reason: `${out.path} is ${what} itself`,
      command,
    });
  }
}
