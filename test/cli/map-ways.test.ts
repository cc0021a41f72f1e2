// The ways in which `capfleet map` comes to its maps: whole, from both ends, in parts, out of tarballs.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runCapfleet } from '../support/capfleet.ts';
import { makeMapPlace, readDumpFile, runMap, type MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { tarFile } from '../support/tar-writer.ts';

interface Summary {
  files: number;
  packets: number;
  archives: number;
  reused: number;
  beginning: string;
  end: string;
  failed: { code: string; path: string }[];
}

/** Packets of all sizes, a capture inside the payload of some, a minute long. */
function largeCapture(): Buffer {
  const inner = pcapFile({}, [{ seconds: 1, fraction: 0, data: Buffer.alloc(60) }]);
  return pcapFile(
    { snaplen: 65_535 },
    Array.from({ length: 6000 }, (_, i) => ({
      seconds: 1_600_000_000 + Math.floor(i / 100),
      fraction: (i % 100) * 10_000,
      data: i % 500 === 7 ? inner : Buffer.alloc(60 + (i % 1400), i),
    })),
  );
}

async function summaryOf(place: MapPlace, ...args: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await runMap(place, ['--file-suffix', '', '--json', '--fresh', ...args]);
  assert.ok(code === 0 || code === 3, stderr);
  return JSON.parse(stdout) as Summary;
}

describe('capfleet map', { concurrency: 2 }, () => {
  test('--split-size writes the dump that a map of whole files writes', async (t) => {
    const place = await makeMapPlace(
      t,
      { 'small.pcap': stamps(0, 5, 10) },
      {
        'large.pcap': largeCapture(),
        'large.pcap.gz': gzipSync(largeCapture()),
        'cut.pcap': largeCapture().subarray(0, 3_000_001),
      },
    );
    await summaryOf(place);
    const whole = await readFile(place.dump, 'utf8');
    await summaryOf(place, '--split-size', '512KiB', '--file-workers', '2');
    assert.equal(await readFile(place.dump, 'utf8'), whole);
  });

  test('--quick tells begin and end as they are, and says that the rest is an estimate', async (t) => {
    const place = await makeMapPlace(
      t,
      {},
      { 'large.pcap': largeCapture(), 'packed.pcap.gz': gzipSync(largeCapture()) },
    );
    const whole = await summaryOf(place);
    const quick = await summaryOf(place, '--quick');
    assert.deepEqual([quick.files, quick.beginning, quick.end], [2, whole.beginning, whole.end]);
    const { files } = await readDumpFile(place.dump);
    const estimated = files.map(({ path, capfleet }) => [
      path,
      (capfleet as { estimated?: boolean }).estimated,
    ]);
    assert.deepEqual(estimated.sort(), [
      [join(place.captures, 'large.pcap'), true],
      [join(place.captures, 'packed.pcap.gz'), undefined],
    ]);
    const { stdout } = await runMap(place, ['--file-suffix', '', '--quick', '--fresh']);
    assert.match(stdout, /^2 files, about [\d,]+ packets, about/);
    const { code, stderr } = await runCapfleet([
      'replay',
      '--dump-json',
      place.dump,
      '--out-interface',
      'null',
      '--time-modifier',
      '1000',
    ]);
    assert.ok(code === 0 || code === 4, stderr);
  });

  test('reads one file that is named, whatever it is called', async (t) => {
    const place = await makeMapPlace(t, { 'odd.name': stamps(0, 5, 10) });
    const dump = join(place.dir, 'one.json');
    const { code } = await runCapfleet([
      'map',
      '--source',
      join(place.captures, 'odd.name'),
      '--dump-json',
      dump,
      '--file-workers',
      '1',
    ]);
    assert.equal(code, 0);
    assert.equal((await readDumpFile(dump)).files.length, 1);
  });

  test('wants one source', async () => {
    for (const args of [[], ['--source', '/a', '--dir-src', '/b']]) {
      const { code, stderr } = await runCapfleet(['map', ...args]);
      assert.equal(code, 2);
      assert.match(stderr, /--source/);
    }
  });
});

async function tarPlace(t: TestContext, pack: (tar: Buffer) => Buffer): Promise<MapPlace> {
  const place = await makeMapPlace(t, { 'a.pcap': stamps(0, 5, 10), 'sub/b.pcap.gz': stamps(20, 7, 10) });
  const member = async (name: string): Promise<{ name: string; data: Buffer }> => ({
    name,
    data: await readFile(join(place.captures, name)),
  });
  const notes = { name: 'notes.txt', data: Buffer.from('no capture') };
  const tar = tarFile([await member('a.pcap'), notes, await member('sub/b.pcap.gz')]);
  const path = join(place.dir, 'set.tar');
  await writeFile(path, pack(tar));
  return { ...place, captures: path };
}

describe('capfleet map of a tarball', { concurrency: 2 }, () => {
  for (const [what, pack] of [
    ['plain', (tar: Buffer) => tar],
    ['compressed', (tar: Buffer) => gzipSync(tar)],
  ] as const) {
    test(`that is ${what} maps the captures in it, and names what is none`, async (t) => {
      const place = await tarPlace(t, pack);
      const all = await summaryOf(place);
      assert.deepEqual([all.files, all.packets, all.archives], [2, 12, 1]);
      assert.deepEqual(
        all.failed.map(({ code, path }) => [code, path]),
        [['capture-unknown', `${place.captures}!/notes.txt`]],
      );
      const { files } = await readDumpFile(place.dump);
      assert.deepEqual(
        files.map(({ path }) => path),
        [`${place.captures}!/a.pcap`, `${place.captures}!/sub/b.pcap.gz`],
      );
    });
  }

  test('is mapped all the same where files are cut in parts', async (t) => {
    const place = await tarPlace(t, (tar) => tar);
    const all = await summaryOf(place, '--split-size', '512');
    assert.deepEqual([all.files, all.packets, all.archives], [2, 12, 1]);
  });

  test('takes the members that were asked for', async (t) => {
    const place = await tarPlace(t, (tar) => gzipSync(tar));
    const some = await summaryOf(place, '--file-suffix', 'pcap.gz');
    assert.deepEqual([some.files, some.failed], [1, []]);
    const none = await runMap(place, ['--file-regexp', 'x{3}']);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no file under .*set\.tar matches/);
  });

  test('knows it again while it is unchanged', async (t) => {
    const place = await tarPlace(t, (tar) => tar);
    const args = ['--file-suffix', '.pcap', '--json', '--state-dir', join(place.dir, 'state')];
    await runMap(place, args);
    const before = await readFile(place.dump, 'utf8');
    const { stdout } = await runMap(place, args);
    assert.equal((JSON.parse(stdout) as Summary).reused, 1);
    assert.equal(await readFile(place.dump, 'utf8'), before);
  });

  test('that is cut off keeps the captures before the cut, and says so', async (t) => {
    const place = await tarPlace(t, (tar) => tar.subarray(0, 1500));
    const { files, archives, failed } = await summaryOf(place);
    assert.deepEqual([files, archives], [1, 0]);
    assert.deepEqual(failed.map(({ path }) => path).includes(place.captures), true);
  });
});
