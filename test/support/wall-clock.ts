/**
 * Gives processes wall clocks of their own, through a small C library that is built on the spot and preloaded: all they
 * read passes through it, without their knowing. Not libfaketime, which leaves adjtimex to the host, whose clock may be
 * disciplined or not; and not a time namespace, which has no wall clock of its own.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';

export interface WallClock {
  /** For who is to have it. */
  readonly env: NodeJS.ProcessEnv;
  /** Sets it to so many ns ahead of the host's. */
  set(ahead: bigint): void;
}

/** Builds the library. */
export function wallClocks(folder: string): (name: string) => WallClock {
  const library = join(folder, 'wall-clock.so');
  const source = join(import.meta.dirname, 'wall-clock.c');
  const options = ['-O1', '-Wall', '-shared', '-fPIC', '-o', library];
  const built = spawnSync(process.env['CC'] ?? 'cc', [...options, source, '-ldl'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.error?.message ?? built.stderr);
  return (name) => {
    const file = join(folder, name);
    writeFileSync(file, Buffer.alloc(8));
    const set = (ahead: bigint): void => {
      const bytes = Buffer.alloc(8);
      if (endianness() === 'LE') bytes.writeBigInt64LE(ahead);
      else bytes.writeBigInt64BE(ahead);
      // In place: who has it mapped sees these eight bytes.
      writeFileSync(file, bytes, { flag: 'r+' });
    };
    return { env: { ...process.env, LD_PRELOAD: library, WALL_CLOCK: file }, set };
  };
}
