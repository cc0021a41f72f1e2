/**
 * A folder for one test, made under the system's folder for temporary files and removed when the test is over,
 * whether it passed or not.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The part of a test's context that is needed: where to hang what is to be done after it. */
export interface AfterHook {
  after(clean: () => Promise<void>): void;
}

export async function tempDir(t: AfterHook): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'capfleet-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
