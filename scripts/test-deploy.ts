// Runs the tests of deploy/ one after another: the chart and the manifests, and what is made of containers.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const files = globSync('test/deploy/**/*.test.ts', { cwd: ROOT }).sort();
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
    },
  },
);
process.exitCode = status ?? 1;
