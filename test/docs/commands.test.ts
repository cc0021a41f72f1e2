// What the documentation tells people to type: the quick start runs as it stands, every other block says why it does not
// run here, and in all of them each capfleet command is one that the program takes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { asFailure } from '@capfleet/shared/errors/failure';
import { everyCommand } from '@capfleet/cli/program';
import { capfleetArguments, commandBlocks, inlineCode, simpleCommands } from '../support/doc-commands.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { makeSyntheticSet } from '../support/synthetic-set.ts';
import { tempDir, type AfterHook } from '../support/temp-dir.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const QUICK_START = 'docs/quick-start.md';
/** Where the quick start has its captures. */
const CAPTURES = '/mnt/pcap';
const LIMIT_MS = 90_000;
/**
 * npx itself takes a second each time. A host that is busy, or gives no real-time class, may miss what a replay is to keep of time (4);
 * that is not what is tested here.
 */
const NPX = `#!/bin/sh
name=$1
shift
"node_modules/.bin/$name" "$@" || { code=$?; [ "$1 $code" = 'replay 4' ] || exit $code; }
`;
/** Of the program itself, without options of its own. */
const BARE = new Set(['exampleConfig', 'complete', 'help']);

type Command = Awaited<ReturnType<typeof everyCommand>>[number];

const skip = await enterNamespaces(import.meta);

const pages = ['README.md', ...globSync('{docs,deploy}/**/*.md', { cwd: ROOT }).sort()].map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), 'utf8'),
}));
const blocks = pages.flatMap(({ path, text }) => commandBlocks(text).map((block) => ({ path, ...block })));

/** What the program says against it; null where nothing. */
async function refusal(args: readonly string[]): Promise<string | null> {
  const [name = '', ...rest] = args;
  if (BARE.has(name) || name.startsWith('-')) return null;
  const command = (await everyCommand()).find((one) => one.name() === name);
  if (command === undefined) return `there is no command ${name}`;
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  // The file is somebody's own.
  const config = rest.indexOf('--config');
  if (config >= 0) rest.splice(config, 2);
  try {
    await command.parseAsync(rest, { from: 'user' });
    return null;
  } catch (thrown) {
    // Commander's own say how they would end the process.
    if (thrown instanceof Error && 'exitCode' in thrown) return thrown.exitCode === 0 ? null : thrown.message;
    return asFailure(thrown).message;
  }
}

function takes(command: Command, flag: string): boolean {
  return command.options.some(({ long }) => long === flag) || flag === '--help';
}

describe('the commands of the documentation', () => {
  test('run in a test or say why they do not', () => {
    const silent = blocks.filter(({ path, notRun }) => path !== QUICK_START && notRun === null);
    assert.deepEqual(
      silent.map(({ path, line }) => `${path}:${String(line)}`),
      [],
      'put <!-- not run: why --> before them',
    );
    assert.ok(blocks.length > 15);
  });

  test('are taken by the program', async () => {
    const wrong: string[] = [];
    let count = 0;
    for (const { path, line, text } of blocks) {
      for (const words of simpleCommands(text)) {
        const args = capfleetArguments(words);
        if (args === null) continue;
        count += 1;
        const said = await refusal(args);
        if (said !== null) wrong.push(`${path}:${String(line)}: ${words.join(' ')}: ${said}`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(count > 30, String(count));
  });

  test('have commands and options that there are, within sentences too', async () => {
    const all = new Map((await everyCommand()).map((command) => [command.name(), command]));
    const wrong = pages.flatMap(({ path, text }) =>
      inlineCode(text).flatMap((code) => {
        const [, name, rest = ''] = /^(?:npx )?capfleet ([a-zA-Z]+)(.*)$/.exec(code) ?? [];
        if (name === undefined || BARE.has(name)) return [];
        const command = all.get(name);
        const flags = [...rest.matchAll(/(?<= )--[a-z][a-z0-9-]*/g)].map(([flag]) => flag);
        const unknown = flags.filter((flag) => !command || !takes(command, flag));
        return command && unknown.length === 0 ? [] : [`${path}: ${code}: ${unknown.join(' ')}`];
      }),
    );
    assert.deepEqual(wrong, []);
  });

  test('are scripts of the package where npm runs them', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    const asked = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\bnpm run ([a-z:]+)/g)].map(([, name = '']) => ({ path, name })),
    );
    assert.deepEqual(
      asked.filter(({ name }) => !Object.hasOwn(scripts, name)),
      [],
    );
    assert.ok(asked.length > 5);
  });
});

test('the links of the documentation lead to what there is', () => {
  const dead = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^([a-z]+:|#)/.test(target))
      .filter((target) => !existsSync(join(ROOT, dirname(path), target.replace(/#.*/, ''))))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test('what is no command of the program is refused', async () => {
  assert.match((await refusal(['play', '--fast'])) ?? '', /no command play/);
  assert.match((await refusal(['replay', '--out-interface', 'eth1', '--fast'])) ?? '', /--fast/);
  assert.match((await refusal(['replayer', '--sensor', 'a'])) ?? '', /--(interface|redis)/);
  assert.equal(await refusal(['replay', '--out-interface', 'eth1']), null);
});

test('commands are found in what is around them', () => {
  const page =
    'a\n\n<!-- not run: why -->\n\n```sh\nA=1 npx capfleet \\\n  map # x\n```\n\n    b\n\n```yaml\nc\n```\n';
  assert.deepEqual(commandBlocks(page), [
    { line: 6, text: 'A=1 npx capfleet \\\n  map # x', notRun: 'why' },
    { line: 10, text: '    b', notRun: null },
  ]);
  const commands = simpleCommands(
    `A=1 npx capfleet \\\n map --file-suffix '' > x & kill $A; echo "a b" | c # d`,
  );
  assert.deepEqual(commands, [
    ['A=1', 'npx', 'capfleet', 'map', '--file-suffix', ''],
    ['kill', '$A'],
    ['echo', 'a b'],
    ['c'],
  ]);
  assert.deepEqual(commands.map(capfleetArguments), [['map', '--file-suffix', ''], null, null, null]);
  assert.deepEqual(capfleetArguments(['docker', 'compose', 'run', '--rm', 'cli', 'status']), ['status']);
});

test('the quick start goes through as it stands', { skip }, async (t) => {
  const dir = await tempDir(t);
  const captures = join(dir, 'captures');
  await mkdir(captures);
  const traffic = { seed: 7, seconds: 0.6, packetsPerSecond: 500 };
  await makeSyntheticSet({ ...traffic, dir: captures, threads: 2, filesPerThread: 2 });
  await mkdir(join(dir, 'bin'));
  await writeFile(join(dir, 'bin/npx'), NPX);
  await chmod(join(dir, 'bin/npx'), 0o755);
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const [first = '', ...others] = quickStart().map((script) => script.replaceAll(CAPTURES, captures));
  assert.ok(first.includes(captures));
  await runScript(t, first, dir);
  const said = await Promise.all(others.map((script) => runScript(t, script, dir)));
  for (const text of said) {
    assert.match(text, /300 of 300 packets sent/);
    assert.match(text, /300 of 300 packets arrived/);
  }
});

/** The script of each of its sections. */
function quickStart(): string[] {
  const { text = '' } = pages.find(({ path }) => path === QUICK_START) ?? {};
  return text
    .split(/^## /m)
    .map((section) => commandBlocks(section).filter(({ notRun }) => notRun === null))
    .filter((found) => found.length > 0)
    .map((found) => found.map((block) => block.text).join('\n'));
}

/** @returns all that it and its commands said; none of them outlives the test */
async function runScript(t: AfterHook, script: string, dir: string): Promise<string> {
  const child = spawn('sh', ['-exc', script], {
    cwd: dir,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: [join(dir, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
      XDG_STATE_HOME: dir,
    },
  });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Its group has ended, as it should.
    }
  };
  const timer = setTimeout(end, LIMIT_MS);
  t.after(() => {
    end();
    return Promise.resolve();
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child, 'close');
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(timer);
  // What it left behind holds its output open.
  end();
  await closed;
  assert.equal(code, 0, said);
  return said;
}
