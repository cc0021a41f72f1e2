import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildDataSet, totals } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';

const maps: FileMap[] = [
  mappedFile('b.pcap', [100, 200]),
  mappedFile('a.pcap', [100, 200]),
  mappedFile('long.pcap', [100, 900]),
  mappedFile('early.pcap', [-50, 90]),
  mappedFile('late.pcap', [901, 10n ** 20n]),
  mappedFile('z-empty.pcap', null),
  mappedFile('empty.pcap', null),
  failedMap('y.txt'),
  failedMap('x.txt'),
];

describe('a data set', () => {
  test('is sorted by begin, then end, then path; empty and failed files stand apart', () => {
    const set = buildDataSet(maps);
    assert.deepEqual(
      set.files.map(({ map }) => map.name),
      ['early.pcap', 'a.pcap', 'b.pcap', 'long.pcap', 'late.pcap'],
    );
    assert.deepEqual(
      set.empty.map(({ name }) => name),
      ['empty.pcap', 'z-empty.pcap'],
    );
    assert.deepEqual(
      set.failed.map(({ name }) => name),
      ['x.txt', 'y.txt'],
    );
    assert.deepEqual(set.span, { earliest: -50n, latest: 10n ** 20n });
    assert.equal(set.lanes, 3);
    assert.equal(set.files[0]?.lane, 0);
  });

  test('is the same whatever the order in which results came in', () => {
    const expected = buildDataSet(maps);
    fc.assert(
      fc.property(fc.shuffledSubarray(maps, { minLength: maps.length }), (shuffled) => {
        assert.deepEqual(buildDataSet(shuffled), expected);
      }),
    );
  });

  test('ends where the latest of its files ends, not the last', () => {
    const set = buildDataSet([mappedFile('long', [0, 100]), mappedFile('short', [50, 60])]);
    assert.deepEqual(set.span, { earliest: 0n, latest: 100n });
  });

  test('without a packet has no span and no lanes', () => {
    for (const maps of [[], [mappedFile('e', null), failedMap('f')]]) {
      const set = buildDataSet(maps);
      assert.deepEqual([set.span, set.lanes, set.files], [null, 0, []]);
    }
  });

  test('does not change what it is given', () => {
    const given = [...maps];
    buildDataSet(given);
    assert.deepEqual(given, maps);
  });

  test('adds up the files with packets', () => {
    const set = buildDataSet([
      mappedFile('a', [1, 2], { packets: 3, capturedBytes: 10, wireBytes: 20, fileSize: 100 }),
      mappedFile('b', [1, 2], { packets: 4, capturedBytes: 1, wireBytes: 2, fileSize: 1000 }),
      mappedFile('c', null, { fileSize: 5 }),
      failedMap('d'),
    ]);
    assert.deepEqual(totals(set), { packets: 7, capturedBytes: 11, wireBytes: 22, fileBytes: 1100 });
  });
});
