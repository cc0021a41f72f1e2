import { test } from 'node:test';
import { fuzz } from '../../../support/fuzz/fuzz.ts';

/** Another one may be given with CAPFLEET_FUZZ_SEED. */
const SEED = Number(process.env['CAPFLEET_FUZZ_SEED'] ?? 1);
const CASES = 5000;

test(`damaged captures never crash, hang or fill the memory, however they arrive (${CASES} cases of seed ${SEED})`, async () => {
  await fuzz({ seed: SEED, cases: CASES });
});
