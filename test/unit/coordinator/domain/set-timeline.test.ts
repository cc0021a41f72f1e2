import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { coarsen, drawTimeline, type FileOnTimeline } from '@capfleet/coordinator/domain/set-timeline';
import { setTimelineSchema, TIMELINE_BUCKETS } from '@capfleet/shared/contract/api';
import { formatInstant, SECOND } from '@capfleet/shared/time/nanos';

const ORIGIN = 1_700_000_000n * SECOND;

function file(from: number, to: number, packets = 100, outOfOrder = 0): FileOnTimeline {
  const at = (seconds: number): bigint => ORIGIN + BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  return {
    earliest: at(from),
    latest: at(to),
    packets,
    capturedBytes: packets * 60,
    wireBytes: packets * 60,
    outOfOrder,
  };
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

describe('the picture of a set', () => {
  test('tells of each lane its files, packets, pauses and disorder', () => {
    const picture = drawTimeline([
      file(480, 960, 300),
      file(0, 240, 100, 2),
      file(120, 600, 200),
      file(240.5, 300, 50),
    ]);
    assert.equal(picture.laneCount, 2);
    assert.equal(picture.beginning, formatInstant(ORIGIN));
    assert.equal(picture.end, formatInstant(ORIGIN + 960n * SECOND));
    const [first, second] = picture.shown;
    assert.deepEqual([first?.files, first?.packets, first?.outOfOrderFiles, first?.pauses], [3, 450, 1, 1]);
    assert.deepEqual(first?.longestPauses, [
      {
        from: formatInstant(ORIGIN + 300n * SECOND),
        to: formatInstant(ORIGIN + 480n * SECOND),
        length: String(180n * SECOND),
      },
    ]);
    assert.deepEqual([second?.files, second?.packets, second?.pauses], [1, 200, 0]);
    // A bucket is a second here: written, paused, written again.
    assert.deepEqual(
      [0, 239, 299, 300, 479, 480, 959].map((bucket) => first.writtenOver[bucket]),
      [1, 1, 1, 0, 0, 1, 1],
    );
  });

  test('loses no packet, however it is cut up', () => {
    const files = Array.from({ length: 500 }, (_, index) => file(index * 7.3, index * 7.3 + 40, index));
    const picture = drawTimeline(files);
    const all = files.reduce((packets, each) => packets + each.packets, 0);
    assert.equal(sum(picture.packets), all);
    assert.equal(sum(picture.shown.map(({ packetsOver }) => sum(packetsOver))), all);
    for (const buckets of [1, 7, 100, 480, TIMELINE_BUCKETS]) {
      const coarse = coarsen(picture, 3, buckets);
      assert.ok(coarse.packets.length <= buckets);
      assert.equal(sum(coarse.packets), all);
      assert.equal(coarse.shown.length, 3);
      assert.equal(sum(coarse.shown.map(({ packets }) => packets)) + (coarse.others?.packets ?? 0), all);
      assert.equal(Math.round(coarse.bucket * coarse.packets.length), Math.round(picture.bucket * 960));
      assert.ok(setTimelineSchema.safeParse({ set: 'a', kept: '', ...coarse }).success);
    }
  });

  test('sums up the lanes beyond the most that are told of', () => {
    const picture = drawTimeline(Array.from({ length: 1000 }, (_, index) => file(index / 1000, 100, 10)));
    assert.equal(picture.laneCount, 1000);
    assert.equal(picture.shown.length, 48);
    assert.deepEqual(
      [picture.others?.lane, picture.others?.files, picture.others?.packets],
      [null, 952, 9520],
    );
    assert.ok(Math.max(...(picture.others?.writtenOver ?? [])) <= 1);
  });

  test('tells for how long how many lanes wrote at once', () => {
    const picture = drawTimeline([file(0, 100), file(50, 150), file(200, 210)]);
    assert.deepEqual(picture.overlaps, [
      { lanes: 2, time: String(50n * SECOND) },
      { lanes: 1, time: String(110n * SECOND) },
      { lanes: 0, time: String(50n * SECOND) },
    ]);
  });

  test('of one instant, and of nothing', () => {
    const one = drawTimeline([file(5, 5, 3), file(5, 5, 4)]);
    assert.deepEqual(one.packets, [7]);
    assert.equal(coarsen(one, 1, 1).packets[0], 7);
    const none = coarsen(drawTimeline([]), 4, 10);
    assert.deepEqual([none.beginning, none.packets, none.shown, none.others], [null, [], [], null]);
  });

  test('a short file in a long set is to be seen', () => {
    const picture = drawTimeline([file(0, 1), file(500_000, 500_000, 1), file(1_000_000, 1_000_001)]);
    assert.ok((picture.shown[0]?.writtenOver[480] ?? 0) + (picture.shown[0]?.writtenOver[479] ?? 0) > 0);
  });
});
