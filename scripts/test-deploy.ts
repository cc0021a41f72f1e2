// Runs the tests of deploy/ one after another: the chart and the manifests, and what is made of containers. Arguments choose files:
// `npm run test:deploy -- compose`. A test that is skipped shows nothing, and so does a run with one: it fails, with the reason.
import { globSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec as SpecReporter } from 'node:test/reporters';

const ROOT = resolve(import.meta.dirname, '..');
process.env['PATH'] = [dirname(process.execPath), process.env['PATH']].join(delimiter);

const wanted = process.argv.slice(2);
const files = globSync('test/deploy/**/*.test.ts', { cwd: ROOT })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => resolve(ROOT, file));
const skipped: string[] = [];
const events = run({ files, cwd: ROOT, concurrency: 1 })
  .on('test:fail', () => (process.exitCode = 1))
  .on('test:pass', ({ name, skip }) => {
    if (skip !== undefined && skip !== false) skipped.push(`${name}: ${skip === true ? 'skipped' : skip}`);
  });
await pipeline(events, new SpecReporter(), process.stdout, { end: false });
if (files.length === 0) skipped.push(`no test is called ${wanted.join(' or ')}`);
if (skipped.length > 0) {
  process.stderr.write(`not shown:\n${skipped.map((line) => `  ${line}\n`).join('')}`);
  process.exitCode = 1;
}
