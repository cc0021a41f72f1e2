// `capfleet map` when all goes well: what it prints, what it writes, which files it takes.
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeMapPlace, readDumpFile, runMap, type DumpView } from '../support/map-cli.ts';
import { stamps, type SetShape } from '../support/numbered-set.ts';

/** Two capture threads: files 1 and 3 follow one another, file 2 lies across both. */
const twoThreads: SetShape = {
  'cap-1.pcap.gz': stamps(0, 5, 10),
  'cap-2.pcap.gz': stamps(5, 10, 10),
  'cap-3.pcap.gz': stamps(50, 4, 10),
};

const filters: Record<string, { args: string[]; takes: string[] }> = {
  'files that end in pcap.gz': { args: [], takes: ['a.pcap.gz', 'sub/deep/b.pcap.gz'] },
  'files with another ending that was asked for': { args: ['--file-suffix', '.pcap'], takes: ['c.pcap'] },
  'all files for an empty ending': {
    args: ['--file-suffix', ''],
    takes: ['a.pcap.gz', 'c.pcap', 'sub/deep/b.pcap.gz', 'sub/noname'],
  },
  'files whose path matches a pattern': {
    args: ['--file-suffix', '', '--file-regexp', 'sub/.*[be]$|b\\.pcap'],
    takes: ['sub/deep/b.pcap.gz', 'sub/noname'],
  },
};

describe('capfleet map', { concurrency: 2 }, () => {
  test('says what it found, which thread wrote what, and what to do next', async (t) => {
    const place = await makeMapPlace(t, twoThreads);
    const { code, stdout, stderr } = await runMap(place);
    assert.equal(stderr, '');
    assert.equal(
      stdout,
      `3 files, 19 packets, 1.9 KiB captured
2023-11-14T22:13:20.000000000Z to 2023-11-14T22:13:20.095000000Z (95 ms)

2 capture threads wrote this set:
  lane 0: 2 files, 9 packets
    cap-1.pcap.gz cap-3.pcap.gz
  lane 1: 1 file, 10 packets
    cap-2.pcap.gz

written: ${place.dump}
next: capfleet replay --dump-json ${place.dump} --out-interface IF
`,
    );
    assert.equal(code, 0);
    const dump = await readDumpFile(place.dump);
    assert.deepEqual(
      [dump.beginning, dump.end],
      ['2023-11-14T22:13:20.000000000Z', '2023-11-14T22:13:20.095000000Z'],
    );
    assert.equal(dump.capfleet.lanes, 2);
    assert.deepEqual(
      dump.files.map(({ path, packets, lane }) => [path, packets, lane]),
      [
        [join(place.captures, 'cap-1.pcap.gz'), 5, 0],
        [join(place.captures, 'cap-2.pcap.gz'), 10, 1],
        [join(place.captures, 'cap-3.pcap.gz'), 4, 0],
      ],
    );
  });

  test('prints its result as one JSON document with --json, and still writes the dump', async (t) => {
    const place = await makeMapPlace(t, twoThreads, { 'text.pcap.gz': 'no capture' });
    const { code, stdout } = await runMap(place, ['--json']);
    assert.equal(code, 3);
    const path = join(place.captures, 'text.pcap.gz');
    const result = JSON.parse(stdout) as { failed: { code: string }[]; fileBytes: number };
    assert.deepEqual(result, {
      dump: place.dump,
      files: 3,
      partial: 0,
      empty: 0,
      archives: 0,
      reused: 0,
      failed: [
        {
          path,
          code: 'capture-unknown',
          message: `${path} is not a capture: it begins with 6e 6f 20 63`,
          hint: 'Capfleet reads pcap and pcapng, plain or in gzip, zstd, lz4, xz, bzip2; convert others with `editcap`',
        },
      ],
      packets: 19,
      capturedBytes: 1900,
      wireBytes: 1900,
      // A file header each, and record header and data of each packet.
      fileBytes: 3 * 24 + 19 * (16 + 100),
      beginning: '2023-11-14T22:13:20.000000000Z',
      end: '2023-11-14T22:13:20.095000000Z',
      lanes: 2,
    });
    assert.equal((await readDumpFile(place.dump)).files.length, 3);
  });

  test('writes the dump alone to standard output for --dump-json -', async (t) => {
    const place = await makeMapPlace(t, twoThreads);
    const { code, stdout, stderr } = await runMap(place, ['--dump-json', '-']);
    assert.equal(code, 0);
    assert.equal((JSON.parse(stdout) as DumpView).files.length, 3);
    assert.match(stderr, /^3 files, 19 packets/);
    await assert.rejects(access('-'), 'no file of that name');
  });

  test('gives the same bytes for the same set, with any number of mappers', async (t) => {
    const place = await makeMapPlace(t, {
      ...twoThreads,
      // Equal times: only the names can decide.
      'cap-0.pcap.gz': stamps(0, 5, 10),
      'a.pcap.gz': stamps(0, 5, 10),
    });
    const dumps: string[] = [];
    for (const workers of ['1', '3']) {
      dumps.push((await runMap(place, ['--dump-json', '-', '--file-workers', workers])).stdout);
    }
    assert.notEqual(dumps[0], '');
    assert.equal(dumps[0], dumps[1]);
  });

  test('takes two thousand tiny files', async (t) => {
    const numbers = Array.from({ length: 2000 }, (_, number) => number);
    const place = await makeMapPlace(
      t,
      Object.fromEntries(numbers.map((number) => [`${number % 7}/${number}.pcap.gz`, [number * 10]])),
    );
    const { code, stdout, stderr } = await runMap(place, ['--file-workers', '2']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^2,000 files, 2,000 packets/);
    const dump = await readDumpFile(place.dump);
    assert.deepEqual(
      dump.files.map(({ path }) => path),
      numbers.map((number) => join(place.captures, `${number % 7}/${number}.pcap.gz`)),
    );
    assert.equal(dump.capfleet.lanes, 1);
  });

  for (const [what, { args, takes }] of Object.entries(filters)) {
    test(`takes ${what}`, async (t) => {
      const place = await makeMapPlace(t, {
        'a.pcap.gz': [0],
        'c.pcap': [1],
        'sub/deep/b.pcap.gz': [2],
        'sub/noname': [3],
      });
      assert.equal((await runMap(place, args)).code, 0);
      const { files } = await readDumpFile(place.dump);
      assert.deepEqual(files.map(({ capfleet }) => capfleet.name).sort(), takes);
    });
  }
});
