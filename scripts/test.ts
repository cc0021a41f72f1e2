// Runs everything that must hold before a change is accepted: type check of the tests, eslint, prettier, and
// every test/**/*.test.ts, each file in its own process. On a machine of two cores two of those that start processes of
// their own run at a time, and those that measure time (test/replay) afterwards, one by one. The checks and test/unit, which
// need no more than a processor, are done beside them all the while with what processors are left over: at the lowest
// priority. Files that need an S3 server (test/s3) share one, which starts meanwhile. It ends with the skipped tests, each
// with its reason, and one line of totals. Arguments choose files: `npm test -- test/unit merge` or `-- lint`.

import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec as SpecReporter } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { startS3Server, type S3Server } from '../test/support/s3-server.ts';

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
}

interface Check {
  name: string;
  args: string[];
}

const ROOT = resolve(import.meta.dirname, '..');
/** Longer than any file takes; a file that is still there then hangs, and is ended. */
const FILE_LIMIT_MS = 300_000;
const MEASURING = 'test/replay/';
const NEEDS_S3 = 'test/s3/';
const SMALL = 'test/unit/';
/** Flags of a Node that is to leave the processors to others. */
const BESIDE = ['--import', join(ROOT, 'scripts/lowest-priority.ts')];
/** What takes containers, or minutes: only by `npm run test:deploy`, or when it is asked for. */
const DEPLOYED = ['compose', 'kubernetes', 'redis', 'redis-cluster', 'sentinel'].map(
  (name) => `test/deploy/${name}.test.ts`,
);
const CHECKS: Check[] = [
  { name: 'eslint', args: ['node_modules/eslint/bin/eslint.js', '.', '--max-warnings', '0'] },
  {
    name: 'type check of tests and scripts',
    args: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'],
  },
  { name: 'prettier', args: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'] },
];

const tally: Tally = { passed: 0, failed: 0, skipped: [] };

/**
 * One reporter for all files, so that it lists the failures of all of them at the end. All output goes through
 * it, which keeps it in order.
 */
const reporter = new SpecReporter();
reporter.pipe(process.stdout, { end: false });

function print(text: string): void {
  reporter.write({ type: 'test:stdout', data: { file: '', message: `${text}\n` } } satisfies TestEvent);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

async function runCheck({ name, args }: Check): Promise<void> {
  const started = performance.now();
  const flags = [...BESIDE, ...args];
  const child = spawn(process.execPath, flags, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done));
  if (code === 0) tally.passed += 1;
  else tally.failed += 1;
  print(`${code === 0 ? '✔' : '✖'} ${name} (${seconds(started)})`);
  if (code !== 0) print(output.trimEnd());
}

/** Node's own way of counting, except that a skipped suite counts and a parent's failure through its children does not. */
function count(event: TestEvent, path: string[], file: string): void {
  if (event.type === 'test:start') {
    path.splice(event.data.nesting, Infinity, event.data.name);
    return;
  }
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return;
  const { name, nesting, skip, todo, details } = event.data;
  const leftOut = skip ?? todo;
  if (leftOut !== undefined && leftOut !== false) {
    const kind = skip === undefined ? 'to do' : 'no reason given';
    const reason = typeof leftOut === 'string' && leftOut !== '' ? leftOut : kind;
    tally.skipped.push(`${file}: ${[...path.slice(0, nesting), name].join(' > ')}: ${reason}`);
  } else if (event.type === 'test:pass') {
    if (details.type !== 'suite') tally.passed += 1;
  } else {
    const cause = event.data.details.error as Error & { failureType?: string };
    if (cause.failureType !== 'subtestsFailed') tally.failed += 1;
  }
}

/** Node reports a file that declares no test, or that cannot be run, as a test with the file's name. */
function isFileItself(data: { nesting: number; name: string; file?: string | undefined }): boolean {
  return data.nesting === 0 && data.name === data.file;
}

async function runFile(file: string, namePattern: string | undefined): Promise<void> {
  const started = performance.now();
  const limit = AbortSignal.timeout(FILE_LIMIT_MS);
  const events = run({
    files: [resolve(ROOT, file)],
    cwd: ROOT,
    signal: limit,
    ...(file.startsWith(SMALL) && { execArgv: BESIDE }),
    ...(namePattern === undefined ? {} : { testNamePatterns: new RegExp(namePattern) }),
  });
  const kept: TestEvent[] = [];
  const path: string[] = [];
  let problem = '';
  for await (const event of events as AsyncIterable<TestEvent>) {
    // Totals of one file would only confuse; ours come last.
    if (event.type === 'test:summary') continue;
    if (event.type === 'test:diagnostic' && event.data.file === undefined) continue;
    if (event.type === 'test:start' && isFileItself(event.data)) continue;
    if (event.type === 'test:pass' && isFileItself(event.data)) {
      if (namePattern === undefined) problem = 'declares no test';
      continue;
    }
    count(event, path, file);
    kept.push(event);
  }
  if (limit.aborted) problem = `did not end within ${FILE_LIMIT_MS / 1000} s, and was ended`;
  else if (problem !== '') tally.failed += 1;
  if (problem === '') print(`${file} (${seconds(started)})`);
  else print(`✖ ${file} (${seconds(started)}): ${problem}`);
  for (const event of kept) reporter.write(event);
}

type Job = () => Promise<void>;

/** Takes the jobs in order, `width` of them at a time; who else takes of the same queue shares them. */
async function work(queue: Iterator<Job> & Iterable<Job>, width = 1): Promise<void> {
  const one = async (): Promise<void> => {
    for (const job of queue) await job();
  };
  await Promise.all(Array.from({ length: width }, one));
}

function choose(filters: string[]): string[] {
  const all = globSync('test/**/*.test.ts', { cwd: ROOT }).sort();
  if (filters.length === 0) return all.filter((file) => !DEPLOYED.includes(file));
  // Any part of a path, or a path as the caller's shell completes it.
  return all.filter((file) =>
    filters.some((filter) => file.includes(filter) || file.startsWith(relative(ROOT, resolve(filter)))),
  );
}

function isPlain(file: string): boolean {
  return !file.startsWith(MEASURING) && !file.startsWith(NEEDS_S3);
}

/** Not where the tests are pointed at a server that is there already. */
function needsS3Server(): boolean {
  return (
    process.env['CAPFLEET_TEST_S3_ENDPOINT'] === undefined && files.some((file) => file.startsWith(NEEDS_S3))
  );
}

/** Tells the tests that start from now on where the server is, or why there is none. */
async function announce(starting: Promise<S3Server | string> | null): Promise<void> {
  const server = await starting;
  if (server === null) return;
  Object.assign(process.env, typeof server === 'string' ? { CAPFLEET_TEST_S3_ABSENT: server } : server.env);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' } },
});
const filters = positionals.filter((word) => word !== 'lint');
const filtered = positionals.length > 0 || values.name !== undefined;
const files = positionals.includes('lint') && filters.length === 0 ? [] : choose(filters);
const checks = !filtered || positionals.includes('lint') ? CHECKS : [];
if (files.length === 0 && (checks.length === 0 || !filtered)) {
  console.error(`no test file matches ${filters.join(' ')}`.trim());
  process.exit(1);
}

process.chdir(ROOT);
// What V8 made of the libraries is kept for the next file.
process.env['NODE_COMPILE_CACHE'] ??= join(ROOT, '.node/compiled');
process.env['PATH'] = [dirname(process.execPath), process.env['PATH']].join(delimiter);
const started = performance.now();
const s3 = needsS3Server() ? startS3Server() : null;
const inTurn = (file: string) => (): Promise<void> => runFile(file, values.name);
const beside = [
  ...checks.map((check) => () => runCheck(check)),
  ...files.filter((file) => file.startsWith(SMALL)).map(inTurn),
].values();
const first = [
  ...files.filter((file) => isPlain(file) && !file.startsWith(SMALL)).map(inTurn),
  ...files
    .filter((file) => file.startsWith(NEEDS_S3))
    .map((file) => async () => {
      await announce(s3);
      await runFile(file, values.name);
    }),
].values();
const measuring = files
  .filter((file) => file.startsWith(MEASURING))
  .map(inTurn)
  .values();
const mainLine = async (): Promise<void> => {
  await work(first, Math.min(4, Math.max(2, availableParallelism())));
  await work(measuring);
};
await Promise.all([work(beside), mainLine().then(() => work(beside))]);

const server = await s3;
if (server !== null && typeof server !== 'string') await server.close();

reporter.end();
await finished(reporter);
if (tally.skipped.length > 0) {
  console.log('\nSkipped:');
  for (const line of tally.skipped) console.log(`  ${line}`);
}
console.log(`\nin ${seconds(started)}`);
const { passed, failed, skipped } = tally;
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
