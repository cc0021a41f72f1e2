// Captures of the field: each gives what Wireshark's programs and libpcap say of it, to the last digit; what is neither
// pcap nor pcapng is refused with a reason.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { FailedFile, MappedFile } from '@capfleet/shared/dataset/file-map';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { disk } from '@capfleet/shared/source/disk';
import { mapFile } from '@capfleet/mapper/map-file';
import {
  fourThreads,
  nanosOf,
  realCaptures,
  type CaptureTruth,
  type RealCapture,
  type ThreadsSet,
} from '../../support/real-captures.ts';

const captures = realCaptures();
const threads = fourThreads();
const emptySet: ThreadsSet = {
  folder: '',
  truth: { packets: 0, captured_bytes: 0, begin: '0', end: '0', chains: {}, files: [] },
};

async function mapPath(path: string): Promise<MappedFile | FailedFile> {
  return mapFile(disk, await disk.stat(path));
}

const FIELDS = [
  'packets',
  'captured_bytes',
  'wire_bytes',
  'max_cap_len',
  'max_wire_len',
  'first_time',
  'last_time',
  'min_time',
  'max_time',
  'backward_steps',
] as const;
type Facts = Pick<CaptureTruth, (typeof FIELDS)[number]>;

/** The map in the words of the truth. */
function factsOf(map: MappedFile): Facts {
  const time = (instant: string | null): string | null => {
    if (instant === null) return null;
    const text = instant.padStart(10, '0');
    return `${text.slice(0, -9)}.${text.slice(-9)}`;
  };
  return {
    packets: map.packets,
    captured_bytes: map.capturedBytes,
    wire_bytes: map.wireBytes,
    max_cap_len: map.maxCaptured,
    max_wire_len: map.maxWire,
    first_time: time(map.first),
    last_time: time(map.last),
    min_time: time(map.earliest),
    max_time: time(map.latest),
    backward_steps: map.outOfOrder,
  };
}

function truthFacts({ truth }: RealCapture): Facts {
  return Object.fromEntries(FIELDS.map((field) => [field, truth[field]])) as Facts;
}

/**
 * The positions taken where the reference readers disagree. In short: seconds are unsigned; a fraction beyond its
 * second is carried; lengths are those of the records, with pseudo-headers and beyond the file's snaplen; bytes of
 * padding behind gzip are no damage; any minor version of 2 is read as 2.4; the format is what the magic says, however
 * odd its records look; every packet with a stamp counts for the span, however absurd the stamp.
 */
const POSITIONS: Record<string, Partial<Facts> & { status: MappedFile['status'] }> = {
  'derived__pppoe-over-qinq.pcap.padded.gz': { status: 'ok', packets: 86 },
  'libpcap__pcap-invalid-version-2.pcap': { status: 'ok', packets: 1 },
  'pcapplusplus__pcapng-example.pcapng.zst': { status: 'ok', min_time: '1422527998.578402281' },
  'suri__bug-6875-01-fuzz.pcap': { status: 'partial', packets: 1, wire_bytes: 188 },
  'tcpdump__pim-packet-assortment.pcap': { status: 'ok', captured_bytes: 271_876, max_cap_len: 65_589 },
  'tcpdump__time_2039.pcap': { status: 'ok', first_time: '2177452800.000000000' },
  'tcpdump__time_2106.pcap': { status: 'ok', first_time: '4291747200.000000000' },
  'tcpdump__timestamp_invalid_micro.pcap': { status: 'ok', last_time: '1418147517.483648000' },
  'wiki__ppp_lcp_ipcp.pcap': { status: 'ok', captured_bytes: 460, max_cap_len: 29 },
  'wiki__zigbee_gppb_bidirectional_commissioning.pcap': { status: 'ok', first_time: '1463388332.355793000' },
};

/** Not of a foreign format; and there is something to deliver. */
function isClaimed({ header, truth }: RealCapture): boolean {
  return /^pcap(ng|-modified)?$/.test(header.format) && truth.status !== 'unreadable';
}

/** What the headers say, in the words of a map. */
function headerFacts({ header, compression, size }: RealCapture): Partial<MappedFile> {
  const facts = { fileSize: size, compression: (compression ?? 'none') as MappedFile['compression'] };
  if (header.interface_list === undefined || header.section_endian === undefined) {
    const { endian, resolution = '', snaplen = 0, network = 0 } = header;
    const linkTypes = [network & 0x03ff_ffff];
    return {
      ...facts,
      format: 'pcap',
      byteOrder: endian as 'little' | 'big',
      resolution,
      snaplen,
      linkTypes,
    };
  }
  const interfaces = header.interface_list;
  const units = [...new Set(interfaces.map(({ tsresol = 6 }) => unitOf(tsresol)))];
  const snaplens = interfaces.map(({ snaplen }) => snaplen);
  return {
    ...facts,
    format: 'pcapng',
    byteOrder: header.section_endian.length > 1 ? 'mixed' : (header.section_endian[0] as 'little' | 'big'),
    resolution: units.length > 1 ? 'mixed' : (units[0] ?? 'us'),
    snaplen: snaplens.includes(0) ? 0 : Math.max(0, ...snaplens),
    linkTypes: [...new Set(interfaces.map(({ linktype }) => linktype))],
  };
}

function unitOf(tsresol: number): string {
  if (tsresol >= 0x80) return `2^-${tsresol - 0x80}`;
  return tsresol === 6 ? 'us' : tsresol === 9 ? 'ns' : `10^-${tsresol}`;
}

describe('a real capture', { skip: typeof captures === 'string' && captures }, () => {
  const all = typeof captures === 'string' ? [] : captures;
  const claimed = all.filter(isClaimed);

  test('is there in numbers', () => {
    assert.ok(claimed.length > 85, `${claimed.length} that are claimed to be read`);
    assert.ok(all.length - claimed.length > 8);
    for (const name of Object.keys(POSITIONS))
      assert.ok(
        claimed.some(({ file }) => file === name),
        name,
      );
  });

  for (const capture of claimed) {
    const { file, truth } = capture;
    test(`${file} (${truth.status}) is mapped as the reference readers read it`, async () => {
      const map = await mapPath(capture.path);
      assert.ok(map.status !== 'failed', JSON.stringify(map));
      const found = factsOf(map);
      const expected = truthFacts(capture);
      const said = headerFacts(capture);
      assert.deepEqual({ ...map, ...said }, map);
      assert.equal(map.untimed ?? 0, truth.untimed_packets);
      if (truth.status !== 'disputed' && !truth.accept) {
        assert.deepEqual(found, expected);
        assert.equal(map.status, truth.status);
        return;
      }
      const position = POSITIONS[file];
      assert.ok(position, 'the readers disagree, and no position is taken');
      const { status, ...facts } = position;
      assert.equal(map.status, status);
      assert.deepEqual({ ...found, ...facts }, found);
      for (const field of FIELDS) {
        // Follows from the instants, of which there are several defensible ones.
        if (field === 'backward_steps') continue;
        const accepted: unknown[] = truth.accept?.[field] ?? [expected[field]];
        assert.ok(
          accepted.includes(found[field]),
          `${field} is ${found[field]}; defensible: ${accepted.join(', ')}`,
        );
      }
    });
  }

  for (const capture of all.filter((entry) => !isClaimed(entry))) {
    test(`${capture.file} is refused with a reason`, async () => {
      const map = await mapPath(capture.path);
      assert.ok(map.status === 'failed');
      assert.match(map.error.code, /^capture-(empty|too-short|unknown|unsupported|version|damaged)$/);
      assert.ok(map.error.message.includes(capture.path) && map.error.hint !== '');
      const named = /netmon2|netxray|snoop/.test(capture.header.format);
      if (named) assert.equal(map.error.code, 'capture-unsupported');
    });
  }
});

describe('a real set of four capture threads', { skip: typeof threads === 'string' && threads }, () => {
  const { folder, truth } = typeof threads === 'string' ? emptySet : threads;
  const maps: (MappedFile | FailedFile)[] = [];
  before(async () => {
    for await (const file of disk.list(folder, { suffix: '.pcap.gz', pattern: null }))
      maps.push(await mapFile(disk, file));
  });
  /** Files that are the ones which the truth describes. */
  const described = truth.files.filter(({ file, sha256 }) => sha256OrNull(join(folder, file)) === sha256);

  test('is mapped to the packet', () => {
    assert.ok(described.length > 30, `${described.length} files are as described`);
    for (const truth of described) {
      const map = maps.find(({ name }) => name === truth.file);
      assert.ok(map && map.status !== 'failed');
      const found = [map.status, map.packets, map.capturedBytes, map.earliest, map.latest];
      const span = [truth.begin, truth.end].map((time) => String(nanosOf(time)));
      assert.deepEqual(found, ['ok', truth.packets, truth.captured_bytes, ...span]);
    }
  });

  test('was written by four threads', () => {
    assert.equal(buildDataSet(maps).lanes, 4);
  });

  test('gives each file back to its thread', (t) => {
    if (described.length !== maps.length) {
      t.skip(`${maps.length} files lie there, ${described.length} of them are as ${folder}/truth.json says`);
      return;
    }
    const set = buildDataSet(maps);
    assert.deepEqual(set.span, { earliest: nanosOf(truth.begin), latest: nanosOf(truth.end) });
    const lanes = Array.from({ length: set.lanes }, (_, lane) =>
      set.files.filter((file) => file.lane === lane).map(({ map }) => map.name),
    );
    assert.deepEqual(lanes.sort(), Object.values(truth.chains).sort());
  });
});

function sha256OrNull(path: string): string | null {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : null;
}
