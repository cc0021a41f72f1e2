import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openClassicPcap, pcapMagic } from '@capfleet/shared/capture/classic-pcap';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import type { Failure } from '@capfleet/shared/errors/failure';
import { memoryReader } from '../../../support/memory-reader.ts';
import { readPcap } from '../../../support/pcap-reader.ts';
import { captureOf, drain, readBytes, records } from '../../../support/read-capture.ts';
import {
  cutAt,
  pcapFile,
  pcapRecordOffset,
  plainPcap,
  withCapturedLength,
  type PcapHeader,
} from '../../../support/pcap-writer.ts';

const CHUNKS = [1, 2, 3, 7, 16, 17, 64 * 1024, Infinity];
const KINDS = (['us', 'ns'] as const).flatMap((magic) =>
  (['le', 'be'] as const).map((byteOrder) => ({ magic, byteOrder })),
);
const KIB = 1024;

/** What the reference reader gives, in the shape of the product's. */
function reference(file: Buffer): { time: bigint; data: Buffer; wireLength: number }[] {
  return readPcap(file).packets.map(({ time, data, wireLength }) => ({
    time,
    data: Buffer.from(data),
    wireLength,
  }));
}

function isFailure(code: string, fields: Record<string, unknown> = {}) {
  return (thrown: unknown): true => {
    const failure = thrown as Failure;
    assert.equal(failure.code, code);
    assert.deepEqual({ ...failure.fields, ...fields }, failure.fields);
    return true;
  };
}

describe('a classic pcap', () => {
  for (const { magic, byteOrder } of KINDS) {
    for (const chunk of CHUNKS) {
      test(`of ${magic} stamps, ${byteOrder}, arriving ${chunk} bytes at a time, is what the reference reader reads`, async () => {
        const header: PcapHeader = { magic, byteOrder, snaplen: 2000, linkType: 113 };
        const packets = records([60, 0, 1, 15, 16, 17, 1514, 3, 2000], header);
        packets[2] = { ...packets[2]!, wireLength: 9000 };
        const last = magic === 'us' ? 999_999 : 999_999_999;
        packets.push({ seconds: 0xffff_ffff, fraction: last, data: Buffer.from('last') });
        packets.push({ seconds: 0, fraction: 0, data: Buffer.from('epoch') });
        const file = pcapFile(header, packets);
        const read = await readBytes(file, { chunk });
        assert.deepEqual(read.packets, reference(file));
        assert.deepEqual(read.warnings, []);
        assert.deepEqual(read.info, {
          format: 'pcap',
          byteOrder: byteOrder === 'le' ? 'little' : 'big',
          resolution: magic,
          compression: 'none',
          snaplen: 2000,
          linkTypes: [113],
        });
      });
    }
  }

  test('gives the same whatever its content and however it is cut into pieces', async () => {
    const content = fc.array(
      fc.record({
        seconds: fc.integer({ min: 0, max: 0xffff_ffff }),
        fraction: fc.integer({ min: 0, max: 999_999 }),
        data: fc.uint8Array({ maxLength: 200 }),
        wireLength: fc.integer({ min: 200, max: 0xffff_ffff }),
      }),
      { maxLength: 30 },
    );
    const pieces = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(content, fc.constantFrom(...KINDS), pieces, async (packets, kind, chunk) => {
        const file = pcapFile(kind, packets);
        const read = await readBytes(file, { chunk });
        assert.deepEqual(read.packets, reference(file));
        assert.deepEqual(read.warnings, []);
      }),
      { numRuns: 150 },
    );
  });

  test('larger than the window, with records across its borders, is read whole', async () => {
    const lengths = Array.from({ length: 1500 }, (_, i) => (i * 7919) % 1515);
    const file = captureOf(lengths);
    assert.ok(file.length > 4 * 256 * KIB);
    const expected = reference(file);
    for (const chunk of [4093, 64 * KIB, Infinity]) {
      assert.deepEqual((await readBytes(file, { chunk })).packets, expected);
    }
  });

  test('tells where each record begins, and is read on from there with the same offsets', async () => {
    const packets = records([60, 0, 1514, 33, 900]);
    packets[3] = { ...packets[3]!, wireLength: 2 };
    const file = pcapFile({}, packets).subarray(0, -1);
    const magic = pcapMagic(file);
    assert.ok(magic);
    for (const index of [0, 1, 3]) {
      const from = pcapRecordOffset(file, index);
      const bytes = memoryReader(file.subarray(from), { chunk: 100 });
      const reader = openClassicPcap(
        file.subarray(0, 24),
        magic,
        bytes,
        { path: 'p', compression: 'none', largestWindow: 65_536 },
        from,
      );
      const offsets: number[] = [];
      do {
        do offsets.push(reader.nextOffset);
        while (reader.advance());
      } while (await reader.fill());
      const expected = packets.slice(index).map((_, i) => pcapRecordOffset(file, index + i));
      assert.deepEqual([...new Set(offsets)], expected);
      assert.deepEqual(
        reader.warnings().map(({ kind, offset }) => [kind, offset]),
        [
          ['captured-longer-than-wire', pcapRecordOffset(file, 3)],
          ['cut-off-record', pcapRecordOffset(file, 4)],
        ],
      );
    }
  });

  test('of one packet, and of none', async () => {
    const one = await readBytes(captureOf([60]));
    assert.equal(one.packets.length, 1);
    const none = await readBytes(captureOf([]));
    assert.deepEqual([none.packets, none.warnings], [[], []]);
  });

  test('whose packets all have one stamp keeps them all, in order', async () => {
    const data = Array.from({ length: 1000 }, (_, i) => Buffer.from(String(i)));
    const file = pcapFile(
      {},
      data.map((data) => ({ seconds: 5, fraction: 5, data })),
    );
    const read = await readBytes(file, { chunk: 1000 });
    assert.deepEqual(
      read.packets.map((packet) => packet.data),
      data,
    );
    assert.ok(read.packets.every(({ time }) => time === 5_000_005_000n));
  });

  test('keeps the link type and leaves out the bits above it', async () => {
    const read = await readBytes(captureOf([4], { linkType: 0xf400_0001 }));
    assert.deepEqual(read.info.linkTypes, [1]);
  });

  test('of any minor version of 2 is read, of another major one refused with its number', async () => {
    for (const byteOrder of ['le', 'be'] as const) {
      for (const [major, minor] of [
        [2, 5],
        [2, 4],
        [1, 4],
        [3, 0],
        [543, 0],
      ] as const) {
        const file = captureOf([60], { byteOrder });
        if (byteOrder === 'le') file.writeUInt32LE(major + minor * 0x1_0000, 4);
        else file.writeUInt32BE(major * 0x1_0000 + minor, 4);
        if (major === 2) assert.equal((await readBytes(file)).packets.length, 1);
        else
          await assert.rejects(
            readBytes(file),
            isFailure('capture-version', { version: `${major}.${minor}` }),
          );
      }
    }
  });

  test('tells how many bytes it took from the file, and frees it', async () => {
    const file = captureOf([60, 60, 60]);
    const bytes = memoryReader(file, { chunk: 50 });
    const reader = await openCapture(bytes, 'test.pcap');
    while (await reader.fill()) while (reader.advance()) assert.ok(reader.consumed <= file.length);
    assert.equal(reader.consumed, file.length);
    assert.equal(bytes.closed, 0);
    await reader.close();
    assert.equal(bytes.closed, 1);
  });

  test('that is over stays over', async () => {
    for (const file of [captureOf([60]), cutAt(captureOf([60, 60]), 110)]) {
      const reader = await openCapture(memoryReader(file), 'test.pcap');
      await drain(reader);
      for (let i = 0; i < 3; i += 1) {
        assert.equal(await reader.fill(), false);
        assert.equal(reader.advance(), false);
      }
      assert.ok(reader.warnings().length <= 1);
    }
  });

  test('whose reading fails hands the failure on as it is', async () => {
    const error = new Error('broken disk');
    const packets = records([100, 100, 100]);
    const bytes = memoryReader(pcapFile({}, packets), { failure: { at: 200, error } });
    const reader = await openCapture(bytes, 'test.pcap');
    assert.equal(await reader.fill(), true);
    assert.equal(reader.advance(), true);
    assert.equal(reader.advance(), false);
    await assert.rejects(reader.fill(), error);
    await reader.close();
  });
});

describe('a cut-off pcap', () => {
  for (const { magic, byteOrder } of KINDS) {
    test(`of ${magic} stamps, ${byteOrder}, gives the packets before the cut, at every byte`, async () => {
      const file = captureOf([20, 0, 33], { magic, byteOrder });
      const expected = reference(file);
      const ends = expected.map((_, i) =>
        i + 1 < expected.length ? pcapRecordOffset(file, i + 1) : file.length,
      );
      for (let length = 0; length < file.length; length += 1) {
        const cut = cutAt(file, length);
        if (length < 24) {
          const code = length === 0 ? 'capture-empty' : 'capture-too-short';
          await assert.rejects(readBytes(cut), isFailure(code, length === 0 ? {} : { size: length }));
          continue;
        }
        for (const chunk of [1, 5, Infinity]) {
          const read = await readBytes(cut, { chunk });
          const whole = ends.filter((end) => end <= length).length;
          assert.deepEqual(read.packets, expected.slice(0, whole), `cut at ${length}`);
          const border = whole === 0 ? 24 : ends[whole - 1]!;
          if (border === length) {
            assert.deepEqual(read.warnings, []);
            continue;
          }
          const [warning, ...more] = read.warnings;
          assert.deepEqual(more, []);
          assert.deepEqual(
            { kind: warning?.kind, count: warning?.count, offset: warning?.offset },
            { kind: 'cut-off-record', count: 1, offset: border },
          );
          assert.match(warning!.message, new RegExp(`\\b${length - border} of \\d+ bytes`));
        }
      }
    });
  }

  test('beyond the first window is told with its offset in the file', async () => {
    const file = captureOf(Array.from({ length: 600 }, () => 1500));
    const read = await readBytes(cutAt(file, file.length - 1), { chunk: 10_000 });
    assert.equal(read.packets.length, 599);
    assert.equal(read.warnings[0]?.offset, pcapRecordOffset(file, 599));
  });
});

describe('a record that claims too much', () => {
  for (const { magic, byteOrder } of KINDS) {
    test(`(${magic}, ${byteOrder}) ends the capture there, and is never allocated`, async () => {
      const file = captureOf([60, 60, 60, 60], { magic, byteOrder });
      for (const claimed of [MAX_CAPTURED_BYTES + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
        const reader = await openCapture(memoryReader(withCapturedLength(file, 2, claimed)), 'test.pcap');
        const before = process.memoryUsage().arrayBuffers;
        const read = await drain(reader);
        assert.ok(process.memoryUsage().arrayBuffers - before < 2 * KIB * KIB);
        assert.deepEqual(read.packets, reference(file).slice(0, 2));
        assert.deepEqual(read.warnings, [
          {
            kind: 'record-too-long',
            count: 1,
            offset: pcapRecordOffset(file, 2),
            message: `a record claims ${claimed} bytes, the bound is ${MAX_CAPTURED_BYTES}`,
          },
        ]);
      }
    });
  }

  test('within the bound but beyond the end of the file is a cut', async () => {
    const file = withCapturedLength(captureOf([60, 60]), 1, MAX_CAPTURED_BYTES);
    const read = await readBytes(file);
    assert.deepEqual(
      read.warnings.map(({ kind }) => kind),
      ['cut-off-record'],
    );
    assert.equal(read.packets.length, 1);
  });

  test('is refused at any place, also where the window is large enough for it', async () => {
    // The first record makes the window grow; the one that is too large then lies wholly inside it.
    const file = captureOf([MAX_CAPTURED_BYTES, 10, 300_000, 10]);
    const tooLong = { kind: 'record-too-long', offset: pcapRecordOffset(file, 2) };
    for (const chunk of [1000, 100_000, 262_160, 300_000, Infinity]) {
      const { packets, warnings } = await readBytes(file, { chunk });
      assert.equal(packets.length, 2, `in pieces of ${chunk}`);
      assert.deepEqual(
        warnings.map(({ kind, offset }) => ({ kind, offset })),
        [tooLong],
      );
    }
  });

  test('is refused there too when the window is filled again before it is reached', async () => {
    const file = captureOf([MAX_CAPTURED_BYTES, 200_000, 200_000, 10, 300_000, 10]);
    for (const chunk of [1000, 100_000, 524_304, Infinity]) {
      const { packets, warnings } = await readBytes(file, { chunk });
      assert.equal(packets.length, 4, `in pieces of ${chunk}`);
      assert.equal(warnings[0]?.kind, 'record-too-long');
    }
  });
});

describe('a large packet', () => {
  test('of 200,000 bytes and of the bound itself is read', async () => {
    const file = captureOf([60, 200_000, 60, MAX_CAPTURED_BYTES, 60]);
    for (const chunk of [9999, Infinity]) {
      const read = await readBytes(file, { chunk });
      assert.deepEqual(read.packets, reference(file));
      assert.deepEqual(read.warnings, []);
    }
  });

  test('of 300,000 bytes is refused on Ethernet and read where its link type has such packets', async () => {
    for (const linkType of [1, 113, 0]) {
      const read = await readBytes(captureOf([60, 300_000, 60], { linkType }));
      assert.equal(read.packets.length, 1);
      assert.equal(read.warnings[0]?.kind, 'record-too-long');
    }
    for (const linkType of [231, 279, 189, 220, 249]) {
      const file = captureOf([60, 300_000, 60], { linkType });
      const read = await readBytes(file, { chunk: 65_536 });
      assert.deepEqual(read.packets, reference(file));
    }
  });
});

describe('an odd record', () => {
  test('with more captured bytes than it had on the wire is kept, and counted', async () => {
    const packets = records([60, 60, 60, 60]);
    packets[1] = { ...packets[1]!, wireLength: 59 };
    packets[3] = { ...packets[3]!, wireLength: 0 };
    const file = pcapFile({}, packets);
    const read = await readBytes(file, { chunk: 7 });
    assert.deepEqual(read.packets, reference(file));
    assert.deepEqual(read.warnings, [
      {
        kind: 'captured-longer-than-wire',
        count: 2,
        offset: pcapRecordOffset(file, 1),
        message: 'a packet has 60 captured bytes of 59 on the wire',
      },
    ]);
  });

  for (const { magic, byteOrder } of KINDS) {
    test(`with a fraction beyond its second (${magic}, ${byteOrder}) is carried into the seconds, and counted`, async () => {
      const unit = magic === 'us' ? 1_000_000 : 1_000_000_000;
      const fractions = [unit - 1, unit, unit + 1, 0xffff_ffff];
      const file = pcapFile(
        { magic, byteOrder },
        fractions.map((fraction) => ({ seconds: 100, fraction, data: Buffer.alloc(1) })),
      );
      const reader = await openCapture(memoryReader(file), 'test.pcap');
      const nanos: number[] = [];
      while (await reader.fill()) while (reader.advance()) nanos.push(reader.nanos);
      assert.ok(nanos.every((value) => value >= 0 && value < 1e9));
      const read = await readBytes(file);
      assert.deepEqual(read.packets, reference(file));
      const [warning] = read.warnings;
      assert.deepEqual([warning?.kind, warning?.count], ['fraction-out-of-range', 3]);
      assert.equal(warning?.offset, pcapRecordOffset(file, 1));
    });
  }

  test('that is odd in both ways is told in both', async () => {
    const file = pcapFile({}, [{ seconds: 1, fraction: 2_500_000, data: Buffer.alloc(9), wireLength: 3 }]);
    const read = await readBytes(file);
    assert.equal(read.packets[0]?.time, 3_500_000_000n);
    assert.deepEqual(read.warnings.map(({ kind }) => kind).sort(), [
      'captured-longer-than-wire',
      'fraction-out-of-range',
    ]);
  });

  test('that runs backwards is read as it is', async () => {
    const times = [5, 3, 4, 3, 0xffff_ffff, 0];
    const file = pcapFile(
      plainPcap,
      times.map((seconds) => ({ seconds, fraction: 0, data: Buffer.alloc(2) })),
    );
    const read = await readBytes(file);
    assert.deepEqual(
      read.packets.map(({ time }) => Number(time / 1_000_000_000n)),
      times,
    );
    assert.deepEqual(read.warnings, []);
  });
});
