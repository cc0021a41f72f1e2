/** Builds and runs the plain C test of ring, histogram, margin, departures and slew. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const NATIVE = fileURLToPath(new URL('../../services/replayer/native/', import.meta.url));
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-Iinclude'];

test('the C core keeps its promises without Node', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'capfleet-core-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'core-test');
  const built = spawnSync(
    process.env['CC'] ?? 'cc',
    [
      ...FLAGS,
      '-o',
      program,
      'test/core-test.c',
      'core/ring.c',
      'core/histogram.c',
      'core/margin.c',
      'core/departure.c',
      'core/slew.c',
      '-lm',
    ],
    { cwd: NATIVE, encoding: 'utf8' },
  );
  assert.equal(built.status, 0, built.error?.message ?? built.stderr);
  const run = spawnSync(program, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(run.status, 0, run.stdout);
});
