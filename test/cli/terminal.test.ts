// What the program shows on a terminal and nowhere else. The terminal is one of script(1), from util-linux.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ownProcess, program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { makeMapPlace, runMap } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { tempDir } from '../support/temp-dir.ts';

const tried = spawnSync('script', ['--version'], { encoding: 'utf8' });
const skip = tried.status === 0 ? false : 'no script(1), which gives a program a terminal';
if (skip !== false) process.stderr.write(`SKIPPED ${import.meta.filename}: ${skip}\n`);

/** Runs the program on a terminal; what it shows there comes back as standard output. */
async function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const command = [process.execPath, program, ...args].map(quote).join(' ');
  return runCapfleet([command, '/dev/null'], {
    through: ['script', '-qec'],
    env: { ...process.env, TERM: 'xterm', ...env },
  });
}

// eslint-disable-next-line no-control-regex -- colours are what is looked for
const COLOUR = /\u001b\[[0-9;]*m/;

describe('capfleet', { concurrency: 2 }, () => {
  test('shows the progress of a map on a terminal, and clears it', { skip }, async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 3, 10) });
    const { code, stdout } = await onTerminal([
      'map',
      '--dir-src',
      place.captures,
      '--dump-json',
      place.dump,
    ]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /mapping [░█]+ +\d+% \| \d\/\d\+? files/);
    assert.match(stdout, /1 file, 3 packets/);
    assert.ok(stdout.lastIndexOf('mapping') < stdout.indexOf('1 file, 3 packets'), 'the bar is gone by then');
    const shown = stdout.lastIndexOf('\u001b[?25h');
    assert.ok(shown > stdout.lastIndexOf('\u001b[?25l'), 'the cursor is shown again');
  });

  test('uses no colour where NO_COLOR is set', { skip }, async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0], 'b.pcap.gz': [5] });
    const args = ['map', '--dir-src', place.captures, '--dump-json', place.dump];
    for (const each of [args, ['map', '--help']]) {
      assert.doesNotMatch((await onTerminal(each, { NO_COLOR: '1' })).stdout, COLOUR);
    }
  });

  test('shows the progress of a replay on a terminal', { skip }, async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 3, 10) });
    await runMap(place);
    const { stdout } = await onTerminal([
      'replay',
      '--dump-json',
      place.dump,
      '--out-interface',
      'null',
      '--lead',
      '500ms',
    ]);
    assert.match(stdout, /(preparing|committing|playing) [░█]+ .* packets sent/);
    assert.match(stdout, /3 of 3 packets sent/);
  });

  test('says nothing on standard error off a terminal when all goes well', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 3, 10) });
    const { code, stdout, stderr } = await runMap(place);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(!stdout.includes('\u001b'));
  });

  test('writes its log as text on a terminal, in colour unless that is not wanted', { skip }, async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 3, 10) });
    const args = ['map', '--dir-src', place.captures, '--dump-json', place.dump, '--log-level', 'info'];
    const coloured = await onTerminal([...args, '--fresh'], { NO_COLOR: undefined, CI: undefined });
    assert.doesNotMatch(coloured.stdout, /\{"level"/);
    assert.match(coloured.stdout, COLOUR);
    assert.match(coloured.stdout, /mapper: mapped/);
    const plain = await onTerminal([...args, '--fresh'], { NO_COLOR: '1' });
    assert.match(plain.stdout, /INFO: mapper: mapped/);
  });

  test(
    'shows no control character of a text from outside, in its log as text or as JSON',
    { skip },
    async (t) => {
      const script = join(await tempDir(t), 'log.mjs');
      const logger = new URL('../../shared/dist/log/logger.js', import.meta.url).href;
      const evil = JSON.stringify('a\n\u001b[2Jb\u009b31m\u007f\rc');
      await writeFile(
        script,
        `import { createLogger } from ${JSON.stringify(logger)};
      createLogger('test', 'info', { about: { sensor: ${evil} } })
        .error({ err: new Error(${evil}), reason: ${evil}, deep: [{ x: ${evil} }] }, ${evil});`,
      );
      const env = { ...process.env, TERM: 'xterm', NO_COLOR: '1' };
      const shown = await runCapfleet([`${process.execPath} ${script}`, '/dev/null'], {
        through: ['script', '-qec'],
        env,
      });
      assert.match(shown.stdout, /ERROR: test: a\\x0a\\x1b\[2Jb\\x9b31m\\x7f\\x0dc/);
      assert.match(shown.stdout, /\n +at /, 'a stack has its lines');
      const written = await runCapfleet([script], { through: [process.execPath] });
      for (const text of [shown.stdout.replaceAll('\r\n', '\n'), written.stderr])
        // eslint-disable-next-line no-control-regex -- these are the ones
        assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      const [line = '', ...more] = written.stderr.trim().split('\n');
      assert.deepEqual([(JSON.parse(line) as { msg: string }).msg, more], [JSON.parse(evil), []]);
    },
  );

  test('writes its log as one JSON object a line on standard error', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 3, 10) });
    const { stdout, stderr } = await runMap(place, ['--log-level', 'info', '--json'], ownProcess);
    JSON.parse(stdout);
    const lines = stderr.trim().split('\n');
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    assert.ok(messages.includes('mapper ready') && messages.includes('mapped'));
  });
});
