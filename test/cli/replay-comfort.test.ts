// Options of `capfleet replay` that change nothing in what goes out: files in memory, lines of statistics, options from a
// file.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { numbersIn, stamps } from '../support/numbered-set.ts';
import { makeMappedSet, playedReport, runReplay } from '../support/replay-cli.ts';

const SHAPE = { 'a.pcap': stamps(0, 25, 100), 'b.pcap': stamps(50, 25, 100) };
let set: MapPlace;
const cleanUp = lastFirst({ after });
before(async () => {
  set = await makeMappedSet(cleanUp, SHAPE);
});

describe('capfleet replay', { concurrency: 2 }, () => {
  test('--preload plays out of memory, and refuses a set that has more bytes than it may', async () => {
    const out = join(set.dir, 'preloaded.pcap');
    const args = ['--out-interface', `file:${out}`, '--topspeed'];
    const report = playedReport(await runReplay(set, [...args, '--preload', '--json']));
    assert.equal(report.totals.sent, 50);
    assert.equal(numbersIn(await readFile(out)).length, 50);
    const { code, stdout, stderr } = await runReplay(set, [...args, '--preload', '5KiB']);
    assert.equal(code, 1);
    assert.match(
      stdout + stderr,
      /2 files of the share have 5848 bytes together; 5120 may be read into memory/,
    );
    assert.match(stdout + stderr, /--preload 4GiB/);
  });

  test('--stats says every so many seconds how it goes, on stderr', async () => {
    const { code, stdout, stderr } = await runReplay(set, [
      '--out-interface',
      'null',
      '--stats',
      '1',
      '--json',
    ]);
    assert.ok(code === 0 || code === 4, stderr);
    assert.doesNotThrow(() => JSON.parse(stdout) as unknown);
    const lines = stderr.split('\n').filter((line) => line.startsWith('playing '));
    assert.ok(lines.length >= 1, stderr);
    assert.match(
      lines.at(-1) ?? '',
      /^playing [\d.]+ m?s, \d+ packets? sent \(.*\), 0 not sent, [\d,]+ packets\/s, \d+\.\d\d Mbit\/s$/,
    );
  });

  test('--config takes options from a file, and the command line wins', async () => {
    const config = join(set.dir, 'options.yaml');
    await writeFile(
      config,
      `map: {file-suffix: none}\nglobal: {dump: {json: ${set.dump}}}\nreplay: {out: {interface: "null"}, limit: 7, topspeed: true}\n`,
    );
    const limited = await runReplay(set, ['--config', config, '--json']);
    assert.equal(playedReport(limited).totals.sent, 7);
    // Also over what it conflicts with.
    const written = join(set.dir, 'written.pcap');
    const more = await runReplay(set, ['--config', config, '--limit', '9', '--write', written]);
    assert.match(more.stdout, /^9 packets /, more.stderr);
    await writeFile(config, 'limits: 7\n');
    const { code, stderr } = await runReplay(set, ['--config', config]);
    assert.equal(code, 2);
    assert.match(stderr, /options\.yaml are not used: limits is no option of replay; near it: limit\n/);
  });
});
