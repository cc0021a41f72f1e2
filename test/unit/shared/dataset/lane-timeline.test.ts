import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { laneTimelines, overlaps } from '@capfleet/shared/dataset/lane-timeline';
import { mappedFile } from '../../../support/file-maps.ts';

const span = (earliest: number, latest: number): { earliest: bigint; latest: bigint } => ({
  earliest: BigInt(earliest),
  latest: BigInt(latest),
});

// Lane 0 pauses twice, lane 1 lies across it.
const set = buildDataSet([
  mappedFile('a', [0, 10], { packets: 5 }),
  mappedFile('b', [11, 20], { packets: 7, outOfOrder: 3 }),
  mappedFile('c', [40, 50]),
  mappedFile('d', [45, 70]),
  mappedFile('e', [52, 60]),
]);

describe('the time line of lanes', () => {
  test('runs files together between which there is no pause worth the name', () => {
    const [first, second] = laneTimelines(set.files, 2n);
    assert.deepEqual([first?.lane, first?.files, first?.spans], [0, 4, [span(0, 20), span(40, 60)]]);
    assert.deepEqual([second?.lane, second?.spans, second?.gaps], [1, [span(45, 70)], []]);
  });

  test('tells the pauses, by the least length that counts', () => {
    const gaps = (least: bigint): unknown => laneTimelines(set.files, least)[0]?.gaps;
    assert.deepEqual(gaps(2n), [span(20, 40)]);
    assert.deepEqual(gaps(0n), [span(10, 11), span(20, 40), span(50, 52)]);
    assert.deepEqual(gaps(20n), []);
  });

  test('tells the packets of a lane and its files with packets out of order', () => {
    const [first] = laneTimelines(set.files, 2n);
    assert.equal(first?.packets, 5 + 7 + 2 + 2);
    assert.deepEqual(first.outOfOrder, [{ name: 'b', packets: 3, ...span(11, 20) }]);
  });

  test('tells how many lanes wrote at once, from the first instant to the last', () => {
    assert.deepEqual(overlaps(laneTimelines(set.files, 2n)), [
      { lanes: 1, ...span(0, 20) },
      { lanes: 0, ...span(20, 40) },
      { lanes: 1, ...span(40, 45) },
      { lanes: 2, ...span(45, 60) },
      { lanes: 1, ...span(60, 70) },
    ]);
  });

  test('of no file is empty', () => {
    assert.deepEqual(laneTimelines([], 0n), []);
    assert.deepEqual(overlaps([]), []);
  });
});
