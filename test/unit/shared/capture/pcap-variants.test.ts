import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  IXIA_HARDWARE,
  IXIA_SOFTWARE,
  KUZNETZOV,
  pcapVariant,
  type PcapVariant,
} from '../../../support/pcap-variants.ts';
import { pcapFile } from '../../../support/pcap-writer.ts';
import { readBytes, records } from '../../../support/read-capture.ts';

const packets = records([60, 0, 1514, 7]).map((record) => ({
  ...record,
  wireLength: record.data.length + 9,
}));
const VARIANTS: readonly (readonly [name: string, variant: PcapVariant])[] = [
  ["Kuznetzov's, with longer record headers", KUZNETZOV],
  ["Ixia's of hardware, with a longer file header", IXIA_HARDWARE],
  ["Ixia's of software, with a longer file header", IXIA_SOFTWARE],
  ['version 2.2, with swapped lengths', { minor: 2, swapped: true }],
  ['version 2.0, with swapped lengths', { minor: 0, swapped: true }],
  ['version 2.3, with swapped lengths', { minor: 3, swapped: true }],
  ['version 2.3, with lengths in today’s order', { minor: 3 }],
];

describe('a variant of classic pcap', () => {
  for (const byteOrder of ['le', 'be'] as const) {
    for (const [name, variant] of VARIANTS) {
      const file = pcapVariant(variant, byteOrder, packets);

      test(`(${name}, ${byteOrder}) gives what the usual form gives`, async () => {
        const usual = await readBytes(pcapFile({ byteOrder }, packets));
        for (const chunk of [1, 7, 64, Infinity]) {
          const read = await readBytes(file, { chunk });
          assert.deepEqual(read, usual);
        }
      });

      test(`(${name}, ${byteOrder}) cut at any byte keeps what came before`, async () => {
        const recordLength = (index: number): number =>
          16 + (variant.extra ?? 0) + packets[index]!.data.length;
        const ends = packets.map(
          (_, index) =>
            24 +
            (variant.gap ?? 0) +
            packets.slice(0, index + 1).reduce((sum, _p, i) => sum + recordLength(i), 0),
        );
        for (let length = 24; length < file.length; length += 11) {
          const read = await readBytes(file.subarray(0, length), { chunk: 100 });
          assert.equal(read.packets.length, ends.filter((end) => end <= length).length, `cut at ${length}`);
        }
      });
    }
  }

  test('whose file ends before its longer header is over has no packet', async () => {
    for (const length of [24, 26, 28]) {
      const read = await readBytes(pcapVariant(IXIA_HARDWARE, 'le', packets).subarray(0, length));
      assert.deepEqual(read.packets, []);
    }
  });

  test('whose lengths are bounded where a packet must be longer than its pseudo-header', async () => {
    const file = pcapFile({ linkType: 201 }, records([4, 3, 4]));
    const read = await readBytes(file);
    assert.equal(read.packets.length, 1);
    assert.deepEqual(
      read.warnings.map(({ kind, offset }) => [kind, offset]),
      [['record-too-short', 44]],
    );
  });
});
