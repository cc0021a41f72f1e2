// The long fuzz of all readers and codecs: `npm run fuzz -- --cases 200000 --seed 7`. It prints the seed, so that any
// run can be had again, and what reproduces a failure.
import { parseArgs } from 'node:util';
import { fuzz, FuzzFailure } from '../test/support/fuzz/fuzz.ts';

const PROGRESS_EVERY = 10_000;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    from: { type: 'string', default: '0' },
  },
});
const [cases, seed, from] = [values.cases, values.seed, values.from].map(Number) as [number, number, number];
if (![cases, seed, from].every((value) => Number.isSafeInteger(value) && value >= 0)) {
  console.error('--cases, --seed and --from are whole numbers');
  process.exit(2);
}

const started = performance.now();
console.log(`${cases} cases of seed ${seed}`);
try {
  await fuzz({
    seed,
    from,
    cases,
    onProgress(done) {
      if (done % PROGRESS_EVERY !== 0) return;
      console.log(`${done} cases, ${((performance.now() - started) / 1000).toFixed(0)} s`);
    },
  });
  console.log('all hold');
} catch (thrown) {
  if (!(thrown instanceof FuzzFailure)) throw thrown;
  console.error(thrown.message);
  console.error(thrown.cause);
  process.exitCode = 1;
}
