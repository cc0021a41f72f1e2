// The quick map of a classic pcap is right or is not given: held against the map of the whole file, for captures of
// every kind, and for those that are made to mislead it.
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { mappedFileSchema, type FileMap, type MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import { disk } from '@capfleet/shared/source/disk';
import { mapFile } from '@capfleet/mapper/map-file';
import { quickMap, type QuickMapOptions } from '@capfleet/mapper/quick-map';
import { countingSource } from '../../support/counting-source.ts';
import { hostileCapture } from '../../support/hostile-capture.ts';
import { memorySource } from '../../support/memory-source.ts';
import {
  cutAt,
  pcapFile,
  PCAP_HEADER_LENGTH,
  withMagic,
  type PcapHeader,
  type PcapRecord,
} from '../../support/pcap-writer.ts';
import { createPrng } from '../../support/prng.ts';
import { captureOf } from '../../support/read-capture.ts';
import { realCaptures } from '../../support/real-captures.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PATH = '/data/a.pcap';
const BEGIN = 1_599_000_000;
const MAX_RECORD = 262_144;

interface Both {
  quick: MappedFile | null;
  whole: FileMap;
  bytesRead: number;
}

async function mapBoth(bytes: Uint8Array, options?: QuickMapOptions): Promise<Both> {
  const source = memorySource();
  source.put(PATH, bytes);
  const counting = countingSource(source);
  const quick = await quickMap(counting, await source.stat(PATH), options);
  if (quick) assert.deepEqual(mappedFileSchema.parse(JSON.parse(JSON.stringify(quick))), quick);
  assert.equal(source.openReaders, 0, 'a file is left open');
  const whole = await mapFile(source, await source.stat(PATH));
  return { quick, whole, bytesRead: counting.bytesRead };
}

/** The quick map may be missing, but never wrong. */
function assertNeverWrong({ quick, whole }: Both): void {
  if (!quick) return;
  assert.equal(whole.status, 'ok', 'of a broken file there is no quick map');
  assert.deepEqual([quick.first, quick.last], [whole.first, whole.last]);
  assert.ok(
    quick.earliest !== null && quick.latest !== null && whole.earliest !== null && whole.latest !== null,
  );
  assert.ok(BigInt(quick.earliest) >= BigInt(whole.earliest) && BigInt(quick.latest) <= BigInt(whole.latest));
}

/** Ordinary packets of any content, a millisecond apart; `size` bytes of records at least. */
function ordinary(size: number, header: Partial<PcapHeader> = {}, largest = 1514): PcapRecord[] {
  const prng = createPrng(7);
  const unit = header.magic === 'ns' ? 1_000_000 : 1000;
  const packets: PcapRecord[] = [];
  for (let length = 0, i = 0; length < size; i += 1) {
    const data = prng.fill(Buffer.alloc(prng.between(Math.min(60, largest), largest)));
    packets.push({ seconds: BEGIN + Math.floor(i / 1000), fraction: (i % 1000) * unit, data });
    length += 16 + data.length;
  }
  return packets;
}

/** A file long enough for a quick map that ends in the given packets. */
function endingIn(packets: readonly PcapRecord[], header: Partial<PcapHeader> = {}, size = 400_000): Buffer {
  return pcapFile(header, [...ordinary(size, header), ...packets]);
}

const packet = (data: Uint8Array, more: Partial<PcapRecord> = {}): PcapRecord => ({
  seconds: BEGIN + 1000,
  fraction: 5,
  data,
  ...more,
});

/** A capture of records with the times and the byte order of the outer one. */
function inner(length: number, header: Partial<PcapHeader> = {}): Buffer {
  const packets = ordinary(length, header).map((one) => ({ ...one, seconds: BEGIN + 900 }));
  return pcapFile(header, packets);
}

/** A last packet that claims more than the file holds of it. */
function cutOffPacket(data: Buffer, claimed: number, header: Partial<PcapHeader> = {}): Buffer {
  const whole = pcapFile(header, [packet(Buffer.alloc(claimed))]);
  return Buffer.concat([whole.subarray(PCAP_HEADER_LENGTH, PCAP_HEADER_LENGTH + 16), data]);
}

describe('the quick map', () => {
  for (const magic of ['us', 'ns'] as const) {
    for (const byteOrder of ['le', 'be'] as const) {
      for (const snaplen of [0, 1600, 65_535, 262_144, 0xffff_ffff]) {
        test(`of ${magic} stamps, ${byteOrder}, snaplen ${snaplen}, says begin and end exactly and the rest about`, async () => {
          const bytes = endingIn([], { magic, byteOrder, snaplen, linkType: 113 });
          for (const trustSnaplen of [false, true]) {
            const both = await mapBoth(bytes, { trustSnaplen });
            const { quick, whole } = both;
            assert.ok(quick && whole.status === 'ok');
            assert.deepEqual(quick, {
              ...whole,
              estimated: true,
              packets: quick.packets,
              capturedBytes: quick.capturedBytes,
              wireBytes: quick.wireBytes,
              maxCaptured: quick.maxCaptured,
              maxWire: quick.maxWire,
            });
            for (const field of ['packets', 'capturedBytes', 'wireBytes', 'maxCaptured', 'maxWire'] as const)
              assert.ok(Math.abs(quick[field] / whole[field] - 1) < 0.2, `${field}: ${quick[field]}`);
            assertNeverWrong(both);
          }
        });
      }
    }
  }

  test('reads under 200 KB where a snaplen up to 65,535 is trusted, and under 330 KB where not', async () => {
    for (const snaplen of [96, 65_535, 262_144, 0]) {
      const bytes = pcapFile({ snaplen }, ordinary(5_000_000, {}, 96));
      const trusting = await mapBoth(bytes, { trustSnaplen: true });
      const doubting = await mapBoth(bytes);
      assert.ok(trusting.quick && doubting.quick);
      assert.ok(doubting.bytesRead < 330_000, `${doubting.bytesRead} bytes`);
      const limit = snaplen > 0 && snaplen <= 65_535 ? 200_000 : 330_000;
      assert.ok(trusting.bytesRead < limit, `${trusting.bytesRead} bytes for snaplen ${snaplen}`);
    }
  });

  test('estimates packets within the ratio of the largest to the smallest record', async () => {
    // Small packets at both ends, large ones between.
    const between = Array.from({ length: 300 }, () => packet(Buffer.alloc(9000, 0x41)));
    const small = ordinary(400_000, {}, 100);
    const { quick, whole } = await mapBoth(pcapFile({}, [...small, ...between, ...small]));
    assert.ok(quick && whole.status === 'ok');
    const ratio = (9000 + 16) / (60 + 16);
    assert.ok(quick.packets / whole.packets <= ratio && quick.packets / whole.packets >= 1);
  });

  test('takes earliest and latest from the packets it sees, where neighbours changed places', async () => {
    const packets = ordinary(400_000);
    [packets[0], packets[1]] = [packets[1]!, packets[0]!];
    const end = packets.length;
    [packets[end - 2], packets[end - 1]] = [packets[end - 1]!, packets[end - 2]!];
    const { quick, whole } = await mapBoth(pcapFile({}, packets));
    assert.ok(quick && whole.status === 'ok');
    assert.deepEqual(
      [quick.first, quick.last, quick.earliest, quick.latest],
      [whole.first, whole.last, whole.earliest, whole.latest],
    );
    assert.notEqual(quick.first, quick.earliest);
  });

  test('keeps the oddities it sees', async () => {
    const { quick } = await mapBoth(endingIn([packet(Buffer.alloc(9), { wireLength: 3 })]));
    assert.deepEqual(
      quick?.warnings.map(({ kind, count }) => [kind, count]),
      [['captured-longer-than-wire', 1]],
    );
  });

  test('of a sparse capture of 100 GB takes no longer than of a small one', async (t) => {
    const size = 100_000_000_000;
    const path = join(await tempDir(t), 'huge.pcap');
    const head = pcapFile({ snaplen: 65_535 }, ordinary(100_000));
    const tail = pcapFile({}, [...ordinary(400_000), packet(Buffer.alloc(60, 1))]).subarray(
      PCAP_HEADER_LENGTH,
    );
    const handle = await open(path, 'w');
    await handle.write(head, 0, head.length, 0);
    await handle.truncate(size);
    await handle.write(tail, 0, tail.length, size - tail.length);
    await handle.close();
    const file = await disk.stat(path);
    assert.equal(file.size, size);
    let fastest = Infinity;
    for (let attempt = 0; attempt < 20 && fastest >= 50; attempt += 1) {
      const started = performance.now();
      const map = await quickMap(disk, file);
      fastest = Math.min(fastest, performance.now() - started);
      assert.deepEqual([map?.first, map?.last], [`${BEGIN}000000000`, `${BEGIN + 1000}000005000`]);
      assert.ok(map && map.packets > 100e6 && map.packets < 200e6, `${map?.packets}`);
    }
    assert.ok(fastest < 50, `${fastest} ms`);
    const counting = countingSource(disk);
    assert.ok(await quickMap(counting, file, { trustSnaplen: true }));
    assert.ok(counting.bytesRead < 200_000 && counting.opened === 2, `${counting.bytesRead} bytes`);
  });
});

describe('there is no quick map', () => {
  const large = endingIn([]);
  for (const [what, bytes] of [
    ['an empty file', Buffer.alloc(0)],
    ['a file header and nothing else', captureOf([])],
    ['one packet', captureOf([60])],
    ['a file no larger than what would be read', pcapFile({}, ordinary(300_000))],
    ['notes', Buffer.alloc(500_000, 'notes ')],
    ['a compressed capture', gzipSync(large, { level: 0 })],
    ['a modified pcap', withMagic(large, 0xa1b2cd34)],
    ['a modified pcap of the other byte order', withMagic(large, 0x34cdb2a1)],
    ['an unknown version', Buffer.concat([large.subarray(0, 4), Buffer.from([9, 0]), large.subarray(6)])],
    ['a link type whose packets may be larger than the bound', endingIn([], { linkType: 249 })],
    [
      'a capture whose first packet is larger than the head',
      pcapFile({}, [packet(Buffer.alloc(MAX_RECORD)), ...ordinary(400_000)]),
    ],
    ['a capture that ends before it begins', endingIn([packet(Buffer.alloc(60), { seconds: BEGIN - 10 })])],
    ['one that ends two years later', endingIn([packet(Buffer.alloc(60), { seconds: BEGIN + 63_072_000 })])],
    [
      'nothing but zeros behind the first records',
      Buffer.concat([captureOf([60, 60]), Buffer.alloc(500_000)]),
    ],
  ] as const) {
    test(`of ${what}`, async () => {
      const both = await mapBoth(bytes);
      assert.equal(both.quick, null);
    });
  }

  test('of a file that is replaced while it is read, or gone', async () => {
    const source = memorySource();
    source.put(PATH, large);
    const file = await source.stat(PATH);
    source.put(PATH, endingIn([]));
    assert.equal(await quickMap(source, file), null);
    source.remove(PATH);
    assert.equal(await quickMap(source, file), null);
  });

  test('but an error where reading fails and may be tried again', async () => {
    const source = memorySource();
    const error = new Failure('read-failed', { path: PATH, reason: 'EIO' });
    source.put(PATH, large, { failure: { at: 100, error } });
    await assert.rejects(quickMap(source, await source.stat(PATH)), error);
    assert.equal(source.openReaders, 0);
  });
});

describe('the quick map is not fooled', () => {
  const sizes = [500, 5000, 20_000, 40_000, 100_000, 200_000];
  const filler = (size: number): Buffer => Buffer.alloc(size, 0x55);

  for (const size of sizes) {
    test(`by a last packet that ends in a capture of ${size} bytes`, async () => {
      for (const byteOrder of ['le', 'be'] as const) {
        for (const before of [0, 1, 1000]) {
          const data = Buffer.concat([filler(before), inner(size, { byteOrder })]);
          assertNeverWrong(await mapBoth(endingIn([packet(data)], { byteOrder })));
        }
      }
    });

    test(`by a file that is cut off where a capture of ${size} bytes in its last packet ends`, async () => {
      for (const byteOrder of ['le', 'be'] as const) {
        for (const before of [0, 1000]) {
          const data = Buffer.concat([filler(before), inner(size, { byteOrder })]);
          const end = cutOffPacket(data, data.length + 300, { byteOrder });
          const { quick, whole } = await mapBoth(Buffer.concat([endingIn([], { byteOrder }), end]));
          assert.ok(whole.status === 'partial');
          assert.equal(quick, null);
        }
      }
    });

    test(`by a capture of ${size} bytes behind its broken end`, async () => {
      const junk = Buffer.alloc(30, 0xee);
      for (const behind of [inner(size), Buffer.concat([junk, inner(size)])]) {
        const { quick, whole } = await mapBoth(Buffer.concat([endingIn([]), behind]));
        assert.ok(whole.status === 'partial');
        assert.equal(quick, null);
      }
    });
  }

  test('by a capture in a cut-off packet with an odd header, the only true one that is looked at', async () => {
    const large = Array.from({ length: 4 }, () => packet(filler(200_000)));
    const before = pcapFile({}, [...ordinary(100_000), ...large]);
    assert.ok((await mapBoth(Buffer.concat([before, inner(500).subarray(PCAP_HEADER_LENGTH)]))).quick);
    const data = inner(250_000);
    for (const [at, odd] of [
      [0, 5],
      [4, 2_000_000],
      [12, 1],
    ] as const) {
      const end = cutOffPacket(data, MAX_RECORD);
      end.writeUInt32LE(odd, at);
      const { quick, whole } = await mapBoth(Buffer.concat([before, end]));
      assert.ok(whole.status === 'partial');
      assert.equal(quick, null, `${odd} at ${at}`);
    }
  });

  test('by captures in captures in its packets', async () => {
    let data = inner(300);
    for (let depth = 0; depth < 6; depth += 1)
      data = pcapFile({}, [...ordinary(10_000), { ...packet(data), seconds: BEGIN + 800 + depth }]);
    for (const end of [[], [packet(Buffer.alloc(60, 3))]])
      assertNeverWrong(await mapBoth(endingIn([packet(data), packet(data), ...end])));
  });

  test('by a packet larger than the trusted snaplen allows, unless the snaplen is trusted', async () => {
    const both = await mapBoth(endingIn([packet(inner(200_000))], { snaplen: 65_535 }));
    assertNeverWrong(both);
    assert.equal(both.quick, null);
  });

  test('by a snaplen that a packet at the begin of the file breaks', async () => {
    const packets = [
      packet(filler(2000), { seconds: BEGIN - 1 }),
      ...ordinary(400_000, {}, 96),
      packet(pcapFile({}, ordinary(40_000, {}, 96))),
    ];
    assertNeverWrong(await mapBoth(pcapFile({ snaplen: 96 }, packets), { trustSnaplen: true }));
  });

  test('by bytes behind its end', async () => {
    for (const length of [1, 4, 15, 16, 17, 100, 5000])
      for (const fill of [0, 0xff, 0x41]) {
        const both = await mapBoth(Buffer.concat([endingIn([]), Buffer.alloc(length, fill)]));
        assertNeverWrong(both);
        if (both.whole.status === 'partial') assert.equal(both.quick, null);
      }
  });

  test('by a cut anywhere in its last packets', async () => {
    const whole = endingIn([]);
    for (let cut = 1; cut < 4000; cut += 37) {
      const both = await mapBoth(cutAt(whole, whole.length - cut));
      assertNeverWrong(both);
    }
  });

  test('by anything that its packets hold', async () => {
    const fillers = new Map(
      (['us', 'ns'] as const).flatMap((magic) =>
        (['le', 'be'] as const).map((byteOrder) => [magic + byteOrder, endingIn([], { magic, byteOrder })]),
      ),
    );
    let given = 0;
    await fc.assert(
      fc.asyncProperty(
        hostileCapture({ maxRecords: 12, maxPayload: 20_000, ordered: true }),
        fc.boolean(),
        async ({ bytes, header, ending }, trustSnaplen) => {
          const before = fillers.get(header.magic + header.byteOrder)!;
          const both = await mapBoth(Buffer.concat([before, bytes.subarray(PCAP_HEADER_LENGTH)]), {
            trustSnaplen,
          });
          assertNeverWrong(both);
          if (both.quick) given += 1;
          if (both.quick && ending === 'whole')
            assert.deepEqual(
              [both.quick.earliest, both.quick.latest],
              [(both.whole as MappedFile).earliest, (both.whole as MappedFile).latest],
            );
        },
      ),
      { numRuns: 150 },
    );
    assert.ok(given > 10, `only ${given} were given`);
  });
});

const captures = realCaptures();
describe('the quick map of a real capture', { skip: typeof captures === 'string' && captures }, () => {
  test('that goes on and on is mostly given, and always right', async () => {
    let given = 0;
    let sound = 0;
    for (const { path, header, compression } of typeof captures === 'string' ? [] : captures) {
      if (header.format !== 'pcap' || (compression !== null && !path.endsWith('.cap.gz'))) continue;
      const file = compression === null ? readFileSync(path) : gunzipSync(readFileSync(path));
      const records = file.subarray(PCAP_HEADER_LENGTH);
      if (records.length < 200) continue;
      const times = Math.ceil(400_000 / records.length);
      const grown = Buffer.concat([file, ...Array<Buffer>(times).fill(records)]);
      const both = await mapBoth(grown);
      assertNeverWrong(both);
      if (both.whole.status !== 'ok') continue;
      sound += 1;
      if (both.quick) given += 1;
      assertNeverWrong(await mapBoth(grown.subarray(0, -7)));
    }
    assert.ok(sound > 40 && given / sound > 0.8, `${given} of ${sound}`);
  });
});
