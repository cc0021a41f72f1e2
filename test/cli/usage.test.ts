// The command line itself: help, version, and what is refused before anything is started. Wrong usage ends with
// exit code 2 and names what was typed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { ownProcess, runCapfleet, type RunOptions } from '../support/capfleet.ts';
import { startRedis } from '../support/redis-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const COMMANDS = [
  ...['map', 'lanes', 'plan', 'replay', 'status', 'stop', 'verify', 'edit', 'tarExtract'],
  ...['coordinator', 'mapper', 'replayer', 'doctor', 'exampleConfig'],
];
const REDIS = ['--redis', 'redis://127.0.0.1:1'];
const DUMP = ['--dump-json', '/nowhere/map.json'];
const OUT = ['--out-interface', 'null'];
const EDIT = ['edit', '--source', '/nowhere.pcap', '--out', '/nowhere/out.pcap'];

/** Command line → what is said about it. */
const refusals: [args: string[], said: RegExp][] = [
  [['frobnicate'], /unknown command 'frobnicate'/],
  [['map'], /--source is needed to know what to map/],
  [['map', '--dir-src', '/tmp', '--frobnicate'], /unknown option '--frobnicate'/],
  [['map', '--dir-src', '/tmp', 'stray'], /too many arguments/],
  [
    ['map', '--dir-src', '/tmp', '--file-regexp', '('],
    /--file-regexp <re>' argument '\(' is invalid.*missing closing \)/,
  ],
  [['map', '--dir-src', '/tmp', '--file-workers', '-1'], /--file-workers <n>' argument '-1' is invalid/],
  [['map', '--dir-src', '/tmp', '--redis', 'http://x'], /"http:\/\/x" is no Redis URL/],
  [['map', '--dir-src', '/tmp', '--worker-timeout', '5'], /"5" is no duration such as 250ms/],
  [['replay', '--out-interface', ''], /"" names no interface and no file/],
  [['replay', '--out-interface', 'pcap:'], /"pcap:" names no interface and no file/],
  [['replayer', ...REDIS, '--sensor', 'a', '--interface', 'file:'], /"file:" names no interface/],
  [['status'], /--redis or --coordinator is needed/],
  [['stop', ...REDIS], /missing required argument 'run'/],
  [['plan', '--out', ''], /It is empty/],
  [['replay', ...OUT, '--orphan-timeout', '3s'], /cannot be used with option/],
  [['replay', '--sensors', 'a', ...REDIS, '--orphan-timeout', '1s'], /it must be at least 2 s/],
  [['tarExtract'], /required option '--in-tarball <file>' not specified/],
  [['tarExtract', '--in-tarball', '/nowhere.tar'], /--out-dir is needed/],
  [['edit', '--source', '/nowhere.pcap'], /--out or --out-dir is needed to know where to write/],
  [[...EDIT, '--out-dir', '/nowhere'], /'--out <file>' cannot be used with option '--out-dir <dir>'/],
  [[...EDIT, '--ip-map', '10.0.0.0/8=11.0.0.0/16'], /cannot be mapped: \/8 and \/16 are of two lengths/],
  [[...EDIT, '--unique-ip'], /unknown option '--unique-ip'/],
  [['mapper'], /required option '--redis <url>' not specified/],
  [['replayer', ...REDIS, '--interface', 'null'], /required option '--sensor <name>' not specified/],
  [['replayer', ...REDIS, '--interface', 'null', '--sensor', 'a b'], /"a b" is no sensor name/],
  [['replay', ...DUMP], /--out-interface, --sensors or --write is needed to know where to play/],
  [
    ['replay', ...DUMP, ...OUT, '--sensors', 'a', ...REDIS],
    /'--sensors <names>' cannot be used with option '--out-interface <if>'/,
  ],
  [
    ['replay', ...DUMP, '--sensors', 'a,b', ...REDIS, '--spin', 'max'],
    /--spin: not with --sensors: give it to `capfleet replayer`/,
  ],
  [['replay', ...DUMP, ...OUT, '--clock', 'sun'], /Allowed choices are auto, redis, system/],
  [['replay', ...DUMP, ...OUT, '--spin', 'much'], /Allowed choices are none, auto, max/],
  [['replay', ...DUMP, ...OUT, '--tx-stamps', 'some'], /Allowed choices are off, sample, all/],
  [['replay', ...DUMP, ...OUT, '--cpu', '-1'], /--cpu <n>' argument '-1' is invalid/],
  [['replay', ...DUMP, '--sensors', 'a,b'], /--redis or --coordinator is needed with --sensors/],
  [['replay', ...DUMP, '--sensors', 'a,b,a', ...REDIS], /a sensor is named twice/],
  [['replay', ...DUMP, ...OUT, '--time-modifier', '0'], /"0" is no positive ratio such as 2, 0\.37 or 1\/3/],
  [['replay', ...DUMP, ...OUT, '--time-modifier', '-1'], /"-1" is no positive ratio/],
  [['replay', ...DUMP, ...OUT, '--time-modifier', 'abc'], /"abc" is no positive ratio/],
  [['replay', ...DUMP, ...OUT, '--loop-count', 'many'], /"many" is no whole number/],
  [['replay', ...DUMP, ...OUT, '--lead', '100ms'], /--lead: at least 500 ms/],
  [['replay', ...DUMP, ...OUT, '--assign-by', 'colour'], /Allowed choices are lane, folder, size, flow/],
  [['replay', ...DUMP, ...OUT, '--assign', 'a'], /"a" is not of the form sensor=regexp/],
];

describe('capfleet', { concurrency: 2 }, () => {
  test('prints its version', async () => {
    const manifest = resolve(import.meta.dirname, '../../services/cli/package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    assert.deepEqual(await runCapfleet(['--version'], ownProcess), {
      code: 0,
      signal: null,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  test('lists every command in its help', async () => {
    const { code, stdout, stderr } = await runCapfleet(['--help']);
    assert.deepEqual([code, stderr], [0, '']);
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
  });

  test('without a command says what there is, and ends with 2', async () => {
    const { code, stdout, stderr } = await runCapfleet([]);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /Usage: capfleet/);
  });

  for (const command of COMMANDS) {
    test(`${command} --help begins with examples`, async () => {
      const { code, stdout, stderr } = await runCapfleet([command, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`Examples:\n  capfleet ${command} `));
      assert.ok(stdout.indexOf('Examples:') < stdout.indexOf('Options:'), 'before the options');
    });
  }

  test('takes what must be there from the environment, or from a file that it names', async (t) => {
    const { url } = await startRedis(t, { password: 'right' });
    const wrong = url.replace('right', 'wrong');
    const config = join(await tempDir(t), 'mapper.yaml');
    await writeFile(config, `mapper: {redis: "${wrong}"}`);
    const by = (env: Record<string, string>): RunOptions => ({ env: { ...process.env, ...env } });
    for (const options of [by({ CAPFLEET_REDIS: wrong }), by({ CAPFLEET_CONFIG: config })]) {
      const { code, stderr } = await runCapfleet(['mapper'], options);
      const { host } = new URL(url);
      assert.equal(code, 1, stderr);
      assert.ok(stderr.includes(`cannot reach Redis at redis://:***@${host}: WRONGPASS`), stderr);
    }
  });

  for (const [args, said] of refusals) {
    test(`refuses: ${['capfleet', ...args].join(' ')}`, async () => {
      const { code, stdout, stderr } = await runCapfleet(args);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr.replaceAll(/\s+/g, ' '), said);
      assert.match(stderr, /--help/, 'and where to read more');
    });
  }

  test('gives a usage error as JSON too with --json', async () => {
    const { code, stdout, stderr } = await runCapfleet(['replay', ...DUMP, '--json']);
    assert.equal(code, 2);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint: string } };
    assert.equal(error.code, 'setting-missing');
    assert.ok(stderr.includes(error.message) && stderr.includes(error.hint));
  });
});
