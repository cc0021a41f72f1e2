/** The writer and the reference reader of classic pcap agree with each other and with the format's bytes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readPcap } from '../../support/pcap-reader.ts';
import {
  cutAt,
  pcapFile,
  pcapRecordOffset,
  withCapturedLength,
  withMagic,
} from '../../support/pcap-writer.ts';

const packets = [
  { seconds: 0, fraction: 0, data: Uint8Array.of(1, 2, 3) },
  { seconds: 1_700_000_000, fraction: 999_999, data: new Uint8Array(0), wireLength: 9000 },
  { seconds: 0xffff_ffff, fraction: 7, data: new Uint8Array(2000).fill(0xa5) },
];

describe('a written pcap file is read back as it was', () => {
  for (const magic of ['us', 'ns'] as const) {
    for (const byteOrder of ['le', 'be'] as const) {
      test(`${magic}, ${byteOrder}`, () => {
        const read = readPcap(pcapFile({ magic, byteOrder, snaplen: 4096, linkType: 113 }, packets));
        assert.equal(read.resolution, magic);
        assert.equal(read.byteOrder, byteOrder);
        assert.equal(read.snaplen, 4096);
        assert.equal(read.linkType, 113);
        const unit = magic === 'us' ? 1000n : 1n;
        assert.deepEqual(
          read.packets.map(({ time, wireLength, data }) => ({ time, wireLength, data: [...data] })),
          packets.map(({ seconds, fraction, data, wireLength }) => ({
            time: BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * unit,
            wireLength: wireLength ?? data.length,
            data: [...data],
          })),
        );
      });
    }
  }
});

test('the bytes are those of the format', () => {
  const file = pcapFile({ magic: 'ns', byteOrder: 'be', snaplen: 65_535 }, [
    { seconds: 1, fraction: 2, data: Uint8Array.of(0xaa, 0xbb), wireLength: 60 },
  ]);
  const header = 'a1b23c4d' + '00020004' + '00000000' + '00000000' + '0000ffff' + '00000001';
  const record = '00000001' + '00000002' + '00000002' + '0000003c' + 'aabb';
  assert.equal(file.toString('hex'), header + record);
});

test('broken files are refused by the reference reader', () => {
  const file = pcapFile({}, packets);
  assert.throws(() => readPcap(cutAt(file, 10)), /header cut off/);
  assert.throws(() => readPcap(cutAt(file, file.length - 1)), /cut off at offset 59/);
  assert.throws(
    () => readPcap(withCapturedLength(file, 1)),
    /record of 4294967295 bytes cut off at offset 43/,
  );
  assert.throws(
    () => readPcap(withMagic(file, 0x0a0d0d0a)),
    /not a classic pcap file: it begins with 0a0d0d0a/,
  );
});

test('a record is found by its index in both byte orders', () => {
  for (const byteOrder of ['le', 'be'] as const) {
    const file = pcapFile({ byteOrder }, packets);
    assert.deepEqual(
      [0, 1, 2].map((index) => pcapRecordOffset(file, index)),
      [24, 43, 59],
    );
    assert.throws(() => pcapRecordOffset(file, 3), /no record 3/);
  }
});
