/**
 * The fuzz of all readers and codecs: case N of a seed is the same on every machine, so that a failure is told by two
 * numbers. A watch in a thread of its own tells of a case that never comes back.
 */
import { Worker } from 'node:worker_threads';
import { createPrng, type Prng } from '../prng.ts';
import { corpus } from './corpus.ts';
import { mutate } from './mutate.ts';
import { runCase } from './run-case.ts';

/** Far longer than any case takes, on a busy machine too. */
const CASE_LIMIT_MS = 60_000;

export interface FuzzOptions {
  seed: number;
  from?: number;
  cases: number;
  onProgress?: (done: number) => void;
}

export class FuzzFailure extends Error {}

/** @throws FuzzFailure with what reproduces it */
export async function fuzz({ seed, from = 0, cases, onProgress }: FuzzOptions): Promise<void> {
  const seeds = await corpus();
  const watch = startWatch(seed);
  try {
    for (let number = from; number < from + cases; number += 1) {
      watch.enter(number);
      const { bytes, chunk } = makeCase(createPrng(seed * 1_000_003 + number), seeds);
      try {
        await runCase(bytes, chunk);
      } catch (thrown) {
        const again = `npm run fuzz -- --seed ${seed} --from ${number} --cases 1`;
        const file = bytes.length < 2000 ? `; the file: ${bytes.toString('base64')}` : '';
        throw new FuzzFailure(`case ${number} of seed ${seed} fails: ${again}${file}`, { cause: thrown });
      }
      onProgress?.(number - from + 1);
    }
  } finally {
    await watch.stop();
  }
}

function makeCase(prng: Prng, seeds: readonly Buffer[]): { bytes: Buffer; chunk: number[] } {
  const bytes = mutate(prng, prng.pick(seeds), prng.pick(seeds));
  const largest = prng.pick([1, 7, 100, 5000]);
  // Byte by byte only where that is soon done.
  const least = Math.ceil(bytes.length / 2000);
  const chunk = Array.from({ length: 4 }, () => prng.between(least, least + largest));
  return { bytes, chunk };
}

/** Ends the process with the number of the case where one takes too long, be it that it never gives the turn back. */
function startWatch(seed: number): { enter: (number: number) => void; stop: () => Promise<number> } {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { current, seed, limit } } = require('node:worker_threads');
     let last = -1;
     setInterval(() => {
       if (current[0] === last) {
         require('node:fs').writeSync(2, 'case ' + last + ' of seed ' + seed + ' does not end\\n');
         process.kill(process.pid, 'SIGKILL');
       }
       last = current[0];
     }, limit);`,
    { eval: true, workerData: { current, seed, limit: CASE_LIMIT_MS } },
  );
  worker.unref();
  return {
    enter: (number) => Atomics.store(current, 0, number),
    stop: () => worker.terminate(),
  };
}
