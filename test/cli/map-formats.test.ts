// `capfleet map --format`: the mapping on stdout in the forms that other programs read; and `capfleet lanes`.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { runCapfleet } from '../support/capfleet.ts';
import { makeMapPlace, runMap, type MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';

const capinfos = spawnSync('capinfos', ['--version']).status === 0;

const place = (t: TestContext): Promise<MapPlace> =>
  makeMapPlace(
    t,
    {
      'a.pcap': stamps(0, 5, 10),
      'b.pcap': stamps(20, 7, 10),
      'c.pcap': [5000, 5010, 5004],
      'empty.pcap': [],
    },
    { '=cmd().pcap': 'no capture', 'with,comma".pcap': 'no capture' },
  );

async function formatted(t: TestContext, format: string): Promise<string> {
  const { code, stdout, stderr } = await runMap(await place(t), [
    '--file-suffix',
    'pcap',
    '--format',
    format,
  ]);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /^3 files, 15 packets/m, 'the summary is on stderr');
  return stdout;
}

describe('capfleet map --format', { concurrency: 2 }, () => {
  test('json prints the dump', async (t) => {
    const where = await place(t);
    const { stdout } = await runMap(where, ['--file-suffix', 'pcap', '--format', 'json']);
    const dump = JSON.parse(stdout) as {
      files: unknown[];
      capfleet: { failed: unknown[]; empty: unknown[] };
    };
    assert.deepEqual([dump.files.length, dump.capfleet.failed.length, dump.capfleet.empty.length], [3, 2, 1]);
  });

  test('ndjson prints a document per file, those without a place in time last', async (t) => {
    const lines = (await formatted(t, 'ndjson')).trimEnd().split('\n');
    const files = lines.map(
      (line) => JSON.parse(line) as { name: string; lane?: number; beginning?: string },
    );
    assert.deepEqual(
      files.map(({ name, lane }) => [name, lane]),
      [
        ['a.pcap', 0],
        ['b.pcap', 1],
        ['c.pcap', 1],
        ['empty.pcap', undefined],
        ['=cmd().pcap', undefined],
        ['with,comma".pcap', undefined],
      ],
    );
    assert.equal(files[0]?.beginning, '2023-11-14T22:13:20.000000000Z');
  });

  test('csv quotes what needs it and gives no spreadsheet a formula', async (t) => {
    const lines = (await formatted(t, 'csv')).split('\r\n');
    const header = (lines[0] ?? '').split(',');
    assert.equal(lines.length, 8);
    assert.ok(lines.every((line) => line === '' || line.split(',').length >= header.length));
    assert.match(lines[5] ?? '', /,'=cmd\(\)\.pcap,failed,/);
    assert.match(lines[6] ?? '', /,"with,comma""\.pcap",failed,/);
    const cell = (row: number, name: string): string | undefined =>
      (lines[row] ?? '').split(',')[header.indexOf(name)];
    assert.deepEqual(
      ['packets', 'duration_seconds', 'out_of_order', 'lane'].map((name) => cell(3, name)),
      ['3', '0.010000000', '1', '1'],
    );
  });

  test(
    'capinfos-tsv says what capinfos says',
    { skip: !capinfos && 'capinfos is not installed' },
    async (t) => {
      const rows = (text: string): Map<string, string>[] => {
        const [head = [], ...lines] = text
          .trimEnd()
          .split('\n')
          .map((line) => line.split('\t'));
        return lines.map((cells) => new Map(head.map((name, index) => [name, cells[index] ?? ''])));
      };
      const ours = rows(await formatted(t, 'capinfos-tsv'));
      const paths = ours.map((row) => row.get('File name') ?? '');
      const theirs = rows(
        execFileSync('capinfos', ['-TM', ...paths], { env: { ...process.env, TZ: 'UTC' }, encoding: 'utf8' }),
      );
      assert.equal(theirs.length, 4);
      // Its rates come from a duration that it rounds on the way.
      const leftOut = new Set(['Data byte rate (bytes/sec)', 'Data bit rate (bits/sec)']);
      for (const [index, row] of ours.entries()) {
        for (const [name, value] of row) {
          if (!leftOut.has(name)) assert.equal(value, theirs[index]?.get(name), `${name} of ${paths[index]}`);
        }
      }
    },
  );
});

describe('capfleet lanes', { concurrency: 2 }, () => {
  test('draws the lanes, their pauses, overlaps and disorder', async (t) => {
    const where = await place(t);
    await runMap(where, ['--file-suffix', 'pcap']);
    const { code, stdout } = await runCapfleet(['lanes', where.dump]);
    assert.equal(code, 0);
    assert.match(stdout, /^3 files, 15 packets, 5\.01 s; a column is/);
    assert.match(stdout, /^lane 0 {2}1 file {2}5 packets {4}[▒█]·+$/m);
    assert.match(stdout, /^lane 1 {2}2 files {2}10 packets {2}[▒█]+·+!$/m);
    assert.match(stdout, /2 lanes at once +20 ms/);
    assert.match(stdout, /1 pause, the longest first\n {2}lane 1 +4\.92 s/);
    assert.match(stdout, /1 file with packets out of order\n {2}lane 1 {2}c\.pcap +1 packet/);
    assert.match(stdout, /next: capfleet replay/);
    assert.ok(stdout.split('\n').every((line) => line.length <= 100 || !line.startsWith('lane')));
  });

  test('gives the same as a document, with the pauses that are asked for', async (t) => {
    const where = await place(t);
    await runMap(where, ['--file-suffix', 'pcap']);
    const { stdout } = await runCapfleet(['lanes', where.dump, '--json', '--min-gap', '10s']);
    const { lanes, overlaps } = JSON.parse(stdout) as {
      lanes: { gaps: unknown[]; files: number }[];
      overlaps: unknown[];
    };
    assert.deepEqual(
      lanes.map(({ gaps, files }) => [files, gaps.length]),
      [
        [1, 0],
        [2, 0],
      ],
    );
    assert.equal(overlaps.length, 3);
  });

  test('refuses what is no mapping, and names the way to one', async (t) => {
    const { dir } = await makeMapPlace(t);
    await writeFile(join(dir, 'text'), 'text');
    for (const [path, said] of [
      [join(dir, 'gone'), 'no such mapping'],
      [join(dir, 'text'), 'is not a mapping: it is no JSON'],
      [dir, 'is not a mapping: EISDIR'],
    ] as const) {
      const { code, stderr } = await runCapfleet(['lanes', path]);
      assert.equal(code, 1);
      assert.ok(stderr.includes(said) && stderr.includes('capfleet map'), stderr);
    }
  });
});
