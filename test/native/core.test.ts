/** Builds and runs the plain C tests of the core: what it does without Node, on a made clock where time matters. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tempDir } from '../support/temp-dir.ts';

const NATIVE = fileURLToPath(new URL('../../services/replayer/native/', import.meta.url));
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-Iinclude'];

const run = promisify(execFile);

/** Each with the sources that it is built with. */
const PROGRAMS = {
  'core-test': [
    'core/capabilities.c',
    'core/ring.c',
    'core/kernel_touch.c',
    'core/histogram.c',
    'core/margin.c',
    'core/departure.c',
    'core/slew.c',
    '-lm',
    'core/priority.c',
    'core/wall_offset.c',
  ],
  'af-xdp-test': [],
};

for (const [name, sources] of Object.entries(PROGRAMS)) {
  test(`the C core keeps its promises without Node: ${name}`, async (t) => {
    const program = join(await tempDir(t), name);
    await run(process.env['CC'] ?? 'cc', [...FLAGS, '-o', program, `test/${name}.c`, ...sources], {
      cwd: NATIVE,
    });
    const { status, stdout } = spawnSync(program, { encoding: 'utf8', timeout: 60_000 });
    assert.equal(status, 0, stdout);
  });
}
