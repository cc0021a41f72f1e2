// What `capfleet replay` cannot play: dumps that are none, sets that are no longer what was mapped, places that
// cannot be written. It says what and where, with exit code 1, and sends nothing. (Network interfaces: test/replay.)
import assert from 'node:assert/strict';
import { appendFile, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { Ended } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, runMap, type MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { cutAt, pcapFile, pcapHeader, plainPcap } from '../support/pcap-writer.ts';
import { makeMappedSet, numbersOf, playedReport, runReplay } from '../support/replay-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

const OUT = ['--out-interface', 'null'];
const SHAPE = { 'a.pcap': stamps(0, 4, 10), 'b.pcap': stamps(5, 3, 10) };

function assertRefused(ended: Ended, ...said: RegExp[]): void {
  const all = ended.stdout + ended.stderr;
  assert.equal(ended.code, 1, all);
  for (const pattern of said) assert.match(all, pattern);
  assert.doesNotMatch(all, /internal error|\n {4}at |packets sent/);
}

/** Text of a dump → what is wrong with it. */
const noDumps: Record<string, [text: string, said: RegExp]> = {
  'something that is no JSON': ['packets: many', /is not a mapping: it is no JSON/],
  'JSON that is no mapping': ['[1, 2]', /is not a mapping: /],
  'a mapping without a path for a file': [
    '{"files":[{"packets":1,"size":1,"beginning":"2020-01-01T00:00:00Z","end":"2020-01-01T00:00:00Z"}]}',
    /is not a mapping: files\.0\.path: /,
  ],
  'a mapping of a version to come': ['{"files":[],"capfleet":{"version":99}}', /version 99/],
  'a mapping with a time that is none': [
    '{"files":[{"path":"/x","packets":1,"size":1,"beginning":"yesterday","end":"2020-01-01T00:00:00Z"}]}',
    /\/x begins at yesterday/,
  ],
  'a mapping without files': ['{"files":null}', /holds no packet to replay/],
};

describe('capfleet replay refuses', { concurrency: 2 }, () => {
  test('a dump that is not there, and says how to make one', async (t) => {
    const dump = join(await tempDir(t), 'gone.json');
    const ended = await runReplay({ dump }, OUT);
    assertRefused(ended, new RegExp(`^capfleet: no such mapping: ${dump}\n`));
    assert.match(ended.stderr, /capfleet map --source DIR --dump-json/);
  });

  for (const [what, [text, said]] of Object.entries(noDumps)) {
    test(what, async (t) => {
      const dump = join(await tempDir(t), 'map.json');
      await writeFile(dump, text);
      assertRefused(await runReplay({ dump }, OUT), said, new RegExp(dump));
    });
  }

  test('a set without a packet', async (t) => {
    const place = await makeMapPlace(t, {}, { 'a.pcap.gz': pcapHeader(plainPcap) });
    await runMap(place);
    assertRefused(await runReplay(place, OUT), /holds no packet to replay/);
  });

  test('an interface that is not there, and names those that are', async (t) => {
    const place = await makeMappedSet(t, SHAPE);
    assertRefused(
      await runReplay(place, ['--out-interface', 'nope0']),
      /no interface nope0; there are: .*\blo\b/,
    );
  });

  test('a file to write to in a folder that is not there', async (t) => {
    const place = await makeMappedSet(t, SHAPE);
    const out = join(place.dir, 'gone/out.pcap');
    assertRefused(
      await runReplay(place, ['--out-interface', `file:${out}`]),
      /opening \S+gone\/out\.pcap failed: .*ENOENT|No such file/,
    );
  });
});

describe('capfleet replay looks whether a set is what was mapped, and refuses it when', () => {
  const changes: Record<string, [change: (file: string) => Promise<void>, said: RegExp]> = {
    'a file was removed': [(file) => rm(file), /no such file: \S+b\.pcap/],
    'a file has grown': [
      (file) => appendFile(file, 'x'),
      /b\.pcap is not the file that was mapped: \d+ bytes, mapped with \d+/,
    ],
    'a file was cut': [(file) => truncate(file, 100), /b\.pcap is not the file that was mapped: 100 bytes/],
    'a file was written to': [
      async (file) => utimes(file, new Date(), new Date()),
      /b\.pcap is not the file that was mapped: it was written after it was mapped/,
    ],
  };
  const cleanUp = lastFirst({ after });
  /** A time that can be set again to the nanosecond. */
  const written = new Date(1_600_000_000_000);
  let place: MapPlace;
  let file = '';
  let content: Buffer;
  before(async () => {
    place = await makeMapPlace(cleanUp, SHAPE);
    file = join(place.captures, 'b.pcap');
    content = await readFile(file);
    await utimes(file, written, written);
    assert.equal((await runMap(place, ['--file-suffix', ''])).code, 0);
  });
  const restore = async (): Promise<void> => {
    await writeFile(file, content);
    await utimes(file, written, written);
  };

  for (const [what, [change, said]] of Object.entries(changes)) {
    test(what, async () => {
      await change(file);
      const out = join(place.dir, 'out.pcap');
      const ended = await runReplay(place, ['--out-interface', `file:${out}`, '--json']);
      assertRefused(ended, said);
      const report = JSON.parse(ended.stdout) as RunReport;
      assert.deepEqual([report.outcome, report.totals.read, report.start], ['cancelled', 0, null]);
      await assert.rejects(stat(out), { code: 'ENOENT' });
      await restore();
    });
  }

  test('nothing was changed (that one it plays)', async () => {
    assert.equal(playedReport(await runReplay(place, [...OUT, '--json'])).totals.sent, 7);
  });
});

describe('capfleet replay plays', { concurrency: 2 }, () => {
  const cleanUp = lastFirst({ after });
  let place: MapPlace;
  before(async () => {
    place = await makeMappedSet(cleanUp, { ...SHAPE, 'one.pcap': [12] });
  });

  test('a mapping that GopherCap wrote', async () => {
    // As GopherCap has it: the first packet is not counted, and the only packet of a file has no end.
    const file = (name: string, packets: number, beginning: string, end: string): object => ({
      path: join(place.captures, name),
      root: place.captures,
      snaplen: 262144,
      packets,
      size: 100 * packets,
      max_packet_size: 100,
      out_of_order: 0,
      beginning,
      end,
      pps: 100,
      duration: 30_000_000,
      duration_human: '30ms',
      delay: 0,
      delay_human: '0s',
      err: null,
    });
    const begin = '2023-11-14T22:13:20';
    const dump = join(place.dir, 'gophercap.json');
    const mapping = {
      beginning: `${begin}Z`,
      end: `${begin}.03Z`,
      files: [
        file('a.pcap', 3, `${begin}Z`, `${begin}.03Z`),
        file('b.pcap', 2, `${begin}.005Z`, `${begin}.025Z`),
        file('one.pcap', 0, `${begin}.012Z`, '0001-01-01T00:00:00Z'),
      ],
    };
    await writeFile(dump, JSON.stringify(mapping));
    const out = join(place.dir, 'out.pcap');
    const report = playedReport(await runReplay({ dump }, ['--out-interface', `file:${out}`, '--json']));
    assert.equal(report.totals.sent, 8);
    assert.deepEqual(await numbersOf(out), [0, 4, 1, 7, 5, 2, 6, 3]);
  });

  test('the packets before the cut of a file that was cut off already when it was mapped', async (t) => {
    const whole = await readFile(join(place.captures, 'a.pcap'));
    const cut = await makeMapPlace(
      t,
      { 'b.pcap.gz': [100] },
      { 'a.pcap.gz': cutAt(whole, whole.length - 5) },
    );
    assert.equal((await runMap(cut)).code, 3);
    const out = join(cut.dir, 'out.pcap');
    const report = playedReport(await runReplay(cut, ['--out-interface', `file:${out}`, '--json']));
    assert.equal(report.totals.sent, 4);
    assert.deepEqual(await numbersOf(out), [0, 1, 2, 0]);
  });

  test('a set beside which some files could not be mapped', async (t) => {
    const packets = [{ seconds: 1_700_000_000, fraction: 0, data: Buffer.alloc(60) }];
    const partly = await makeMapPlace(
      t,
      {},
      { 'a.pcap.gz': pcapFile({}, packets), 'b.pcap.gz': 'no capture' },
    );
    assert.equal((await runMap(partly)).code, 3);
    assert.equal(playedReport(await runReplay(partly, [...OUT, '--json'])).totals.sent, 1);
  });
});
