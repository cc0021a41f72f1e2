// Files that a person names in a setting. What is none must not hold the program up: a pipe may wait for ever, and a device,
// or what somebody named by mistake, may never end.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const STEP = 64 * 1024;

/** Of certificates: all authorities of a system take a quarter of a megabyte. */
export const MOST_PEM_BYTES = 16 * 1024 * 1024;

/** @throws Error where it is no regular file, longer than `most` bytes, or cannot be read */
export function readSmallFile(path: string, most: number): Buffer {
  // Whoever opens a pipe to read would wait for its writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const facts = fstatSync(file);
    if (!facts.isFile() && !facts.isDirectory()) throw new Error('it is no regular file');
    const steps: Buffer[] = [];
    for (let size = 0; size <= most; size += steps.at(-1)?.length ?? 0) {
      const step = Buffer.allocUnsafe(STEP);
      const length = readSync(file, step);
      if (length === 0) return Buffer.concat(steps);
      steps.push(step.subarray(0, length));
    }
    throw new Error(`it is too long, at most ${String(most)} bytes are read`);
  } finally {
    closeSync(file);
  }
}
