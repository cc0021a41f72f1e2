import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { DUMP_VERSION, readDump } from '@capfleet/shared/dataset/gophercap-json';
import type { Failure } from '@capfleet/shared/errors/failure';
import { writeDump } from '../../../support/dump.ts';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';

const T = 1_600_000_000_123_456_789n;
const DAY = 86_400_000_000_000n;
/** GopherCap's fields of a file, in the words of its models, with the kind of JSON value that each must be. */
const FIELDS: Record<string, (value: unknown) => boolean> = {
  path: (value) => typeof value === 'string' && value !== '',
  root: (value) => typeof value === 'string',
  snaplen: Number.isInteger,
  packets: Number.isInteger,
  size: Number.isInteger,
  max_packet_size: Number.isInteger,
  out_of_order: Number.isInteger,
  beginning: isFullInstant,
  end: isFullInstant,
  pps: Number.isFinite,
  duration: Number.isInteger,
  duration_human: (value) => typeof value === 'string',
  delay: Number.isInteger,
  delay_human: (value) => typeof value === 'string',
};

function isFullInstant(value: unknown): boolean {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(value);
}

interface Dump {
  beginning: string;
  end: string;
  files: Record<string, unknown>[];
}

const parse = async (set: DataSet): Promise<Dump> => JSON.parse(await writeDump(set)) as Dump;

const set = buildDataSet([
  mappedFile('a.pcap', [T, T + 2_500_000_000n], {
    packets: 10,
    capturedBytes: 999,
    maxCaptured: 500,
    outOfOrder: 3,
  }),
  mappedFile('sub/one-packet.pcap', [T + 60_000_000_000n, T + 60_000_000_000n], { packets: 1 }),
  mappedFile('empty.pcap', null, {
    warnings: [{ kind: 'no-packets', count: 1, offset: 0, message: 'the capture holds no packet' }],
  }),
  mappedFile('cut.pcap.gz', [T + 1n, T + 105n * DAY], {
    status: 'partial',
    compression: 'gzip',
    warnings: [{ kind: 'cut-off-record', count: 1, offset: 77, message: 'm' }],
  }),
  failedMap('notes.txt'),
]);

describe('a dump', () => {
  test('has all fields of GopherCap, of their types, in every file', async () => {
    for (const file of (await parse(set)).files) {
      for (const [field, fits] of Object.entries(FIELDS)) {
        assert.ok(fits(file[field]), `${field}: ${JSON.stringify(file[field])}`);
      }
    }
  });

  test('says what was mapped, in those fields', async () => {
    const dump = await parse(set);
    assert.equal(dump.beginning, '2020-09-13T12:26:40.123456789Z');
    assert.equal(dump.end, '2020-12-27T12:26:40.123456789Z');
    assert.deepEqual(
      dump.files.map(({ path }) => path),
      ['/data/a.pcap', '/data/cut.pcap.gz', '/data/sub/one-packet.pcap'],
    );
    const { capfleet, lane, ...first } = dump.files[0]!;
    assert.deepEqual(first, {
      path: '/data/a.pcap',
      root: '/data',
      snaplen: 65535,
      packets: 10,
      size: 999,
      max_packet_size: 500,
      out_of_order: 3,
      beginning: '2020-09-13T12:26:40.123456789Z',
      end: '2020-09-13T12:26:42.623456789Z',
      pps: 4,
      duration: 2_500_000_000,
      duration_human: '2.5s',
      delay: 0,
      delay_human: '0s',
    });
    assert.equal(lane, 0);
    assert.ok(capfleet);
    assert.deepEqual([dump.files[2]!['delay'], dump.files[2]!['delay_human']], [60_000_000_000, '1m0s']);
  });

  test('writes durations beyond 2^53 to the last digit, as integers', async () => {
    const duration = 200n * DAY + 1n;
    const text = await writeDump(
      buildDataSet([mappedFile('a', [T, T + duration]), mappedFile('b', [T + duration, T + duration])]),
    );
    assert.ok(duration > 2n ** 53n);
    assert.ok(text.includes(`"duration":${String(duration)},`));
    assert.ok(text.includes(`"delay":${String(duration)},`));
  });

  test('has no time zero, no infinite rate and no file without a packet, which GopherCap would refuse', async () => {
    const text = await writeDump(set);
    assert.doesNotMatch(text, /0001-01-01|NaN|Infinity/);
    const dump = await parse(set);
    for (const { path, pps } of dump.files) {
      assert.doesNotMatch(String(path), /empty|notes/);
      assert.ok(Number.isFinite(pps));
    }
    const instants = dump.files.flatMap((file) => [file['beginning'], file['end']].map(String));
    assert.ok(instants.every((instant) => instant >= dump.beginning && instant <= dump.end));
  });

  test('is the same bytes whatever the order of the results, and ends in a newline', async () => {
    const maps: FileMap[] = [...set.files.map(({ map }) => map), ...set.empty, ...set.failed];
    const expected = await writeDump(set);
    assert.ok(expected.endsWith('}\n'));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(maps, { minLength: maps.length }), async (shuffled) => {
        assert.equal(await writeDump(buildDataSet(shuffled)), expected);
      }),
      { numRuns: 20 },
    );
  });

  test('tells how many lanes there are, and the lane of each file', async () => {
    const dump = JSON.parse(await writeDump(set)) as Dump & { capfleet: { lanes: number; version: number } };
    assert.equal(dump.capfleet.lanes, 2);
    assert.deepEqual(
      dump.files.map(({ path, lane }) => [path, lane]),
      [
        ['/data/a.pcap', 0],
        ['/data/cut.pcap.gz', 1],
        ['/data/sub/one-packet.pcap', 0],
      ],
    );
    assert.equal(dump.capfleet.version, DUMP_VERSION);
  });

  test('of a set without a packet names no beginning and no end', async () => {
    const dump = await parse(buildDataSet([mappedFile('e', null), failedMap('f')]));
    assert.deepEqual([dump.beginning, dump.end, dump.files], [undefined, undefined, []]);
  });

  test('is read back as the set it was', async () => {
    assert.deepEqual(readDump(await writeDump(set), 'dump.json'), set);
    const empty = buildDataSet([]);
    assert.deepEqual(readDump(await writeDump(empty), 'dump.json'), empty);
  });

  test('is read back whatever the set', async () => {
    const instant = fc.bigInt({ min: 0n, max: 5_000_000_000_000_000_000n });
    const map = fc
      .record({
        id: fc.uuid(),
        span: fc.option(fc.tuple(instant, instant)),
        count: fc.nat(),
        partial: fc.boolean(),
        name: fc.string({ minLength: 1, maxLength: 20 }),
      })
      .map(({ id, span, count, partial, name }): FileMap => {
        const [a, b] = span ?? [0n, 0n];
        return mappedFile(`${id}${name}`, span && [a < b ? a : b, a < b ? b : a], {
          packets: span ? count + 1 : 0,
          capturedBytes: count * 2,
          status: partial ? 'partial' : 'ok',
          first: span && String(b),
          last: span && String(a),
        });
      });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(map, { selector: ({ path }) => path, maxLength: 12 }), async (maps) => {
        const given = buildDataSet(maps);
        assert.deepEqual(readDump(await writeDump(given), 'dump.json'), given);
      }),
    );
  });
});

/**
 * As GopherCap writes it: on one line, fractions without their trailing zeros, a count without the first packet, the
 * zero time as the end of a one-packet file, with the saturated duration that follows from it.
 */
const byGopherCap = readFileSync(new URL('gophercap-dump.json', import.meta.url), 'utf8');

describe('a dump by GopherCap', () => {
  test('is read, its quirks undone', () => {
    const read = readDump(byGopherCap, 'gophercap.json');
    assert.deepEqual(
      read.files.map(({ map, earliest, latest }) => [map.path, map.packets, earliest, latest]),
      [
        ['/mnt/pcap/one/0.pcap.gz', 4097, 1_600_000_000_000_000_000n, 1_600_000_059_999_999_000n],
        ['/mnt/pcap/two/only.pcap.gz', 1, 1_600_000_030_500_000_000n, 1_600_000_030_500_000_000n],
        ['/mnt/pcap/one/1.pcap.gz', 13, 1_600_000_060_000_001_000n, 1_600_000_120_123_456_000n],
      ],
    );
    assert.deepEqual(read.span, {
      earliest: 1_600_000_000_000_000_000n,
      latest: 1_600_000_120_123_456_000n,
    });
    assert.equal(read.lanes, 2);
    for (const { map } of read.files) assert.deepEqual([map.version, map.status], [null, 'ok']);
    assert.deepEqual([read.empty, read.failed], [[], []]);
  });

  test('can be written anew', async () => {
    const read = readDump(byGopherCap, 'gophercap.json');
    assert.deepEqual(readDump(await writeDump(read), 'dump.json'), read);
  });

  test('keeps the folders apart that its files lie in', () => {
    const read = readDump(byGopherCap, 'gophercap.json');
    assert.deepEqual(
      read.files.map(({ map }) => map.name),
      ['one/0.pcap.gz', 'two/only.pcap.gz', 'one/1.pcap.gz'],
    );
  });

  test('without files is an empty set', async () => {
    for (const files of ['null', '[]']) {
      const text = `{"beginning":"0001-01-01T00:00:00Z","end":"0001-01-01T00:00:00Z","files":${files}}`;
      assert.deepEqual(readDump(text, 'd').files, []);
    }
  });
});

describe('a dump is refused, with the place named,', () => {
  const good = JSON.parse(byGopherCap) as { files: Record<string, unknown>[] };
  const withFile = (change: Record<string, unknown>): string =>
    JSON.stringify({ ...good, files: [good.files[0], { ...good.files[1], ...change }] });

  for (const [what, text, reason] of [
    ['that is no JSON', 'packets: 5', /no JSON/],
    ['that is empty', '', /no JSON/],
    ['that is cut off', byGopherCap.slice(0, 200), /no JSON/],
    ['that is a list', '[]', /expected object/],
    ['that is null', 'null', /expected object/],
    ['without files', '{}', /^files: /],
    ['whose files are no list', '{"files":{}}', /^files: /],
    ['with a count that is text', withFile({ packets: '12' }), /^files\.1\.packets: /],
    ['with a negative size', withFile({ size: -1 }), /^files\.1\.size: /],
    ['with a fractional count', withFile({ packets: 1.5 }), /^files\.1\.packets: /],
    ['with a file without a path', withFile({ path: '' }), /^files\.1\.path: /],
    ['with a begin that is no instant', withFile({ beginning: 'yesterday' }), /begins at yesterday/],
    ['with an end that is no instant', withFile({ end: 'tomorrow' }), /ends at tomorrow/],
    ['with an end of another type', withFile({ end: null }), /^files\.1\.end: /],
    [
      'of a newer version',
      JSON.stringify({ files: [], capfleet: { version: DUMP_VERSION + 1 } }),
      new RegExp(`version ${DUMP_VERSION + 1}`),
    ],
    [
      'whose own part has another shape',
      JSON.stringify({ files: [{ ...good.files[0], capfleet: { ...set.files[0]?.map, first: 5 } }] }),
      /^files\.0\.capfleet\.first: /,
    ],
    [
      'whose failed files have an unknown code',
      JSON.stringify({
        files: [],
        capfleet: {
          version: 1,
          failed: [{ ...failedMap('x'), error: { code: 'no', message: '', hint: '' } }],
        },
      }),
      /^capfleet\.failed\.0\.error\.code: /,
    ],
  ] as const) {
    test(what, () => {
      assert.throws(
        () => readDump(text, 'my.json'),
        (thrown: Failure) => {
          assert.equal(thrown.code, 'dump-invalid');
          assert.equal(thrown.fields['path'], 'my.json');
          assert.match(String(thrown.fields['reason']), reason);
          return true;
        },
      );
    });
  }
});
