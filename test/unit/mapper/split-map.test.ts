// A file mapped in parts and joined gives, field for field, what reading it from start to end gives: for sound and
// broken files, for packets that look like captures, and for parts that are lost or wrong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { partMapSchema, type PartMap } from '@capfleet/shared/contract/part-map';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import { disk } from '@capfleet/shared/source/disk';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { mapFile } from '@capfleet/mapper/map-file';
import { canSplit, joinParts, mapPart } from '@capfleet/mapper/split-map';
import { planParts } from '@capfleet/shared/contract/part-map';
import { countingSource } from '../../support/counting-source.ts';
import { hostileCapture, type HostileOptions } from '../../support/hostile-capture.ts';
import { memorySource, type MemorySource } from '../../support/memory-source.ts';
import {
  cutAt,
  pcapFile,
  pcapRecordOffset,
  withCapturedLength,
  withMagic,
} from '../../support/pcap-writer.ts';
import { captureOf, records } from '../../support/read-capture.ts';
import { realCaptures } from '../../support/real-captures.ts';

const PATH = '/data/a.pcap';
const KIB = 1024;
const MAX_RECORD = 262_144;

/** As jobs would: every part by itself, its result through JSON and the schema. */
async function mapParts(source: Source, file: SourceFile, splitSize: number): Promise<PartMap[]> {
  const parts: PartMap[] = [];
  for (const part of planParts(file.size, splitSize)) {
    const map = await mapPart(source, file, part);
    const received = partMapSchema.parse(JSON.parse(JSON.stringify(map)));
    assert.deepEqual(received, map);
    parts.push(received);
  }
  return parts;
}

async function assertSplitEqualsWhole(source: Source, file: SourceFile, splitSize: number): Promise<FileMap> {
  const whole = await mapFile(source, file);
  const parts = await mapParts(source, file, splitSize);
  assert.deepEqual(await joinParts(source, file, parts), whole, `parts of ${splitSize} bytes`);
  // The queue tells in no order.
  assert.deepEqual(await joinParts(source, file, parts.reverse()), whole);
  return whole;
}

async function sourceOf(bytes: Uint8Array): Promise<{ source: MemorySource; file: SourceFile }> {
  const source = memorySource();
  source.put(PATH, bytes);
  return { source, file: await source.stat(PATH) };
}

async function assertBytes(bytes: Uint8Array, splitSizes: readonly number[]): Promise<FileMap> {
  const { source, file } = await sourceOf(bytes);
  for (const size of splitSizes) await assertSplitEqualsWhole(source, file, size);
  assert.equal(source.openReaders, 0, 'a file is left open');
  return mapFile(source, file);
}

/** Bytes that joining read of the file beside its head. */
async function rereadBy(bytes: Uint8Array, splitSize: number): Promise<number> {
  const { source, file } = await sourceOf(bytes);
  const parts = await mapParts(source, file, splitSize);
  const counting = countingSource(source);
  await joinParts(counting, file, parts);
  return counting.bytesRead;
}

/** A record whose packet is a capture as large as wanted. */
const nested = (lengths: readonly number[]): Buffer => captureOf(lengths);
const LENGTHS = Array.from({ length: 400 }, (_, i) => (i * 7919) % 1515);

describe('the plan of parts', () => {
  test('covers the file without a gap, the last part shorter', () => {
    assert.deepEqual(planParts(10, 4), [
      { from: 0, to: 4 },
      { from: 4, to: 8 },
      { from: 8, to: 10 },
    ]);
    assert.deepEqual(planParts(8, 4).at(-1), { from: 4, to: 8 });
    assert.deepEqual(planParts(3, 1024), [{ from: 0, to: 3 }]);
    assert.deepEqual(planParts(0, 4), []);
    assert.throws(() => planParts(10, 0), RangeError);
  });
});

describe('what can be split', () => {
  test('is an uncompressed classic pcap with a record', async () => {
    for (const [bytes, expected] of [
      [captureOf([60]), true],
      [captureOf([60], { magic: 'ns', byteOrder: 'be' }), true],
      [captureOf([]), false],
      [cutAt(captureOf([60]), 10), false],
      [Buffer.alloc(0), false],
      [withMagic(captureOf([60]), 0x1f8b0800), false],
      [withMagic(captureOf([60]), 0x0a0d0d0a), false],
      [withMagic(captureOf([60]), 0xa1b2cd34), false],
      [withMagic(captureOf([60]), 0x34cdb2a1), false],
    ] as const) {
      const { source, file } = await sourceOf(bytes);
      assert.equal(await canSplit(source, file), expected, bytes.toString('hex', 0, 8));
    }
  });

  test('what can not is mapped whole all the same when it is split', async () => {
    for (const bytes of [captureOf([]), cutAt(captureOf([60]), 10), Buffer.alloc(0), Buffer.from('notes')])
      await assertBytes(bytes, [16, 1024]);
  });
});

describe('a split capture is mapped as a whole one', () => {
  for (const magic of ['us', 'ns'] as const) {
    for (const byteOrder of ['le', 'be'] as const) {
      test(`with ${magic} stamps, ${byteOrder}`, async () => {
        const packets = records(LENGTHS, { magic, byteOrder });
        packets[3] = { ...packets[3]!, wireLength: 90_000 };
        packets[200] = { ...packets[200]!, seconds: 1_599_999_999 };
        const map = await assertBytes(pcapFile({ magic, byteOrder }, packets), [1000, 4096, 64 * KIB, 1e9]);
        assert.ok(map.status === 'ok' && map.packets === 400 && map.outOfOrder === 1);
      });
    }
  }

  test('whose time steps back just at a border', async () => {
    const packets = records([100, 100, 100, 100]);
    const bytes = pcapFile({}, packets.reverse());
    const sizes = Array.from({ length: 30 }, (_, i) => 116 + i * 5);
    const map = await assertBytes(bytes, sizes);
    assert.ok(map.status === 'ok' && map.outOfOrder === 3);
  });

  test('with parts smaller than its header and its records', async () => {
    await assertBytes(captureOf([60, 0, 300, 5]), [1, 7, 16, 24, 25, 40, 41]);
  });

  test('with records of the largest size over several borders', async () => {
    const map = await assertBytes(
      captureOf([60, MAX_RECORD, 9, MAX_RECORD, MAX_RECORD, 60]),
      [50_000, 262_160, 300_000],
    );
    assert.ok(map.status === 'ok' && map.maxCaptured === MAX_RECORD);
  });

  test('that is cut off, anywhere', async () => {
    const whole = captureOf([60, 1514, 0, 60, 900]);
    for (let length = 25; length < whole.length; length += 101) {
      const map = await assertBytes(cutAt(whole, length), [128, 1000]);
      assert.ok(map.status !== 'failed');
    }
  });

  test('with broken records in the middle, also where sound ones go on behind', async () => {
    for (const index of [0, 1, 150, 399]) {
      const map = await assertBytes(withCapturedLength(captureOf(LENGTHS), index), [1024, 50_000]);
      assert.ok(map.status === 'partial' && map.packets === index);
      assert.equal(map.warnings[0]?.kind, 'record-too-long');
    }
  });

  test('with odd records, whose warnings are counted over all parts and keep the first offset', async () => {
    const packets = records(LENGTHS);
    for (const index of [50, 60, 399]) packets[index] = { ...packets[index]!, fraction: 2_000_000 };
    for (const index of [90, 300]) packets[index] = { ...packets[index]!, wireLength: 1 };
    const bytes = pcapFile({}, packets);
    const map = await assertBytes(bytes, [1024, 20_000, 100_000]);
    assert.ok(map.status === 'ok');
    assert.deepEqual(
      map.warnings.map(({ kind, count, offset }) => [kind, count, offset]),
      [
        ['fraction-out-of-range', 3, pcapRecordOffset(bytes, 50)],
        ['captured-longer-than-wire', 2, pcapRecordOffset(bytes, 90)],
      ],
    );
  });
});

describe('a hostile capture is split without harm', () => {
  test('with whole captures inside its packets', async () => {
    const inner = nested(LENGTHS.slice(0, 90));
    const packets = records([60, 0, 60, 60]);
    packets[1] = { ...packets[1]!, data: inner };
    packets[3] = { ...packets[3]!, data: Buffer.concat([inner, Buffer.alloc(3)]) };
    await assertBytes(pcapFile({}, packets), [1024, 5000, 33_333, 80_000]);
  });

  for (const [what, fill] of [
    ['zeros', 0],
    ['ones', 0xff],
  ] as const) {
    test(`with packets full of ${what}`, async () => {
      const packets = records(LENGTHS.slice(0, 100)).map((packet) => ({
        ...packet,
        data: Buffer.alloc(packet.data.length, fill),
      }));
      packets.push({ seconds: 1_600_000_009, fraction: 0, data: Buffer.alloc(200_000, fill) });
      packets.push({ seconds: 1_600_000_009, fraction: 1, data: Buffer.alloc(60, fill) });
      await assertBytes(pcapFile({}, packets), [1024, 7000, 100_000]);
    });
  }

  test('that is nothing but zeros behind its first record', async () => {
    await assertBytes(Buffer.concat([captureOf([60]), Buffer.alloc(50_000)]), [1024, 9999]);
    await assertBytes(Buffer.concat([captureOf([60]), Buffer.alloc(50_001)]), [1024]);
  });

  test('whatever it is made of', async () => {
    await fc.assert(
      fc.asyncProperty(
        hostileCapture({ maxRecords: 12, maxPayload: 800 } satisfies HostileOptions),
        fc.integer({ min: 20, max: 3000 }),
        async ({ bytes }, splitSize) => {
          await assertBytes(bytes, [splitSize]);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('parts that are joined', () => {
  const bytes = captureOf(LENGTHS);

  test('are not read again where their borders agree', async () => {
    assert.ok((await rereadBy(bytes, 20_000)) < 100);
  });

  test('are read again only where a packet misled the guess', async () => {
    const packets = records(LENGTHS);
    // Over the borders at 100,000 and 120,000 in a file of about 360 KB.
    const inner = captureOf(LENGTHS.slice(0, 30));
    const before = pcapFile({}, packets.slice(0, 100)).length;
    packets.splice(100, 0, { ...packets[100]!, data: inner });
    const file = pcapFile({}, packets);
    const border = before + 16 + 60 + pcapRecordOffset(inner, 10);
    const reread = await rereadBy(file, border);
    assert.ok(reread > 0 && reread < 2 * border + 300_000, `${reread} bytes`);
    await assertBytes(file, [border, 20_000]);
  });

  test('may be missing, all of them or any, or be of different plans', async () => {
    const { source, file } = await sourceOf(bytes);
    const whole = await mapFile(source, file);
    const parts = await mapParts(source, file, 10_000);
    assert.deepEqual(await joinParts(source, file, []), whole);
    for (const lost of [0, 5, parts.length - 1])
      assert.deepEqual(await joinParts(source, file, parts.toSpliced(lost, 1)), whole);
    const others = await mapParts(source, file, 7777);
    assert.deepEqual(await joinParts(source, file, [...parts, ...others]), whole);
  });

  test('are refused by the schema where they make no sense', () => {
    const tally = { packets: 0, untimed: 0, capturedBytes: 0, wireBytes: 0, maxCaptured: 0, maxWire: 0 };
    const times = { outOfOrder: 0, first: null, last: null, earliest: null, latest: null };
    const part = { start: 5, end: 5, broken: false, tally: { ...tally, ...times }, warnings: [] };
    assert.ok(partMapSchema.safeParse(part).success);
    for (const wrong of [{ end: 4 }, { start: -1 }, { broken: 'no' }, { more: 1 }, { tally }])
      assert.ok(!partMapSchema.safeParse({ ...part, ...wrong }).success, JSON.stringify(wrong));
  });
});

describe('a file that is replaced between its parts', () => {
  for (const [what, other] of [
    ['one of the same size', captureOf(LENGTHS)],
    ['a shorter one', captureOf(LENGTHS.slice(0, 5))],
    ['none', null],
  ] as const) {
    test(`by ${what} is failed, and no part is taken from the new one`, async () => {
      const { source, file } = await sourceOf(captureOf(LENGTHS));
      const parts = await mapParts(source, file, 50_000);
      if (other) source.put(PATH, other);
      else source.remove(PATH);
      const code = other ? 'file-changed' : 'file-missing';
      await assert.rejects(mapPart(source, file, { from: 50_000, to: 100_000 }), (thrown) => {
        assert.ok(thrown instanceof Failure);
        assert.equal(thrown.code, code);
        return true;
      });
      const map = await joinParts(source, file, parts);
      assert.ok(map.status === 'failed');
      assert.equal(map.error.code, code);
      assert.equal(source.openReaders, 0);
    });
  }
});

describe('mapping a part', () => {
  test('tells its progress, reads little beyond its end, and ends early when told', async () => {
    const { source, file } = await sourceOf(captureOf(Array<number>(2000).fill(1400)));
    const counting = countingSource(source);
    const told: number[] = [];
    const part = { from: 1_000_000, to: 2_000_000 };
    const map = await mapPart(counting, file, part, { onProgress: (bytes) => told.push(bytes) });
    assert.ok(map.end >= part.to && map.end < part.to + 1416);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    assert.ok(told.length > 2);
    // The guess looks at one longest record and a bit, and the last window may hold what follows the part.
    assert.ok(counting.bytesRead < 1_000_000 + 2 * 330_000, `${counting.bytesRead} bytes`);
    const reason = new Error('shutting down');
    await assert.rejects(mapPart(source, file, part, { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(source.openReaders, 0);
  });

  test('throws what may pass, and so does joining', async () => {
    const error = new Failure('read-failed', { path: PATH, reason: 'EIO' });
    const source = memorySource();
    source.put(PATH, captureOf(LENGTHS), { failure: { at: 100, error } });
    const file = await source.stat(PATH);
    await assert.rejects(mapPart(source, file, { from: 10_000, to: 20_000 }), error);
    await assert.rejects(joinParts(source, file, []), error);
    assert.equal(source.openReaders, 0);
  });
});

const captures = realCaptures();
describe('a real capture, split', { skip: typeof captures === 'string' && captures }, () => {
  for (const { file, path, size } of typeof captures === 'string' ? [] : captures) {
    test(`${file} is mapped as a whole one`, async () => {
      const stat = await disk.stat(path);
      for (const splitSize of [1024, 10_000, 262_144, 1e9])
        if (size / splitSize < 1000) await assertSplitEqualsWhole(disk, stat, splitSize);
    });
  }
});
