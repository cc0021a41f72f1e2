// Programs in C that the native core is measured against.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './processes.ts';

const NATIVE = join(ROOT, 'services/replayer/native');

/**
 * Compiles bench/native/NAME.c into the folder.
 * @param core files of the native core that it is built with
 * @returns the program
 */
export function compiled(name: string, folder: string, core: readonly string[] = []): string {
  const program = join(folder, name);
  const sources = [
    join(ROOT, 'bench/native', `${name}.c`),
    ...core.map((file) => join(NATIVE, 'core', file)),
  ];
  const flags = ['-std=gnu11', '-O2', '-pthread', '-I', join(NATIVE, 'include')];
  execFileSync('cc', [...flags, '-o', program, ...sources]);
  return program;
}
