// Due times over runs that are long in packets, in time, or at the edges of both: each is held against the definition
// in integers. Nothing waits, no clock is asked.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { dueOf } from '@capfleet/shared/time/timeline';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts } from '@capfleet/replayer/feed-counts';
import type { MergeFile } from '@capfleet/replayer/merge';
import type { FrameSink } from '@capfleet/replayer/ports/frame-sink';
import { watchedFiles, type Stamps } from '../../support/merge-files.ts';
import { pcapHeader, plainPcap } from '../../support/pcap-writer.ts';
import { plainTiming } from '../../support/play-results.ts';

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
const BASE_SECONDS = 1_600_000_000;

interface Series {
  seconds: number;
  nanos: number;
  index: number;
}

/** Gaps of 2 ns, some microseconds, and now and then none or most of a second, over and over. */
const GAPS = [2, 1_234, 0, 777, 2, 45_678, 1, 0, 0, 999_999, 3_001, 2, 123_456_789];
function next(at: Series): void {
  at.nanos += GAPS[at.index % GAPS.length]!;
  at.index += 1;
  if (at.nanos >= 1e9) {
    at.nanos -= 1e9;
    at.seconds += 1;
  }
}

/** A capture of so many small packets that exists nowhere. */
function madeFile(packets: number): MergeFile {
  const record = 16 + 20;
  const header = pcapHeader({ ...plainPcap, magic: 'ns' });
  const open = (): ByteReader => {
    const at: Series = { seconds: BASE_SECONDS, nanos: 5, index: 0 };
    let consumed = 0;
    return {
      async read(target, offset, length) {
        if (consumed < header.length) {
          const count = header.copy(target, offset, consumed, consumed + length);
          consumed += count;
          return count;
        }
        const count = Math.min(Math.floor(length / record), packets - at.index);
        // A reader asks for much more than a record at a time.
        assert.ok(count > 0 || at.index === packets);
        for (let n = 0, to = offset; n < count; n += 1, to += record) {
          target.writeUInt32LE(at.seconds, to);
          target.writeUInt32LE(at.nanos, to + 4);
          target.writeUInt32LE(20, to + 8);
          target.writeUInt32LE(20, to + 12);
          next(at);
        }
        consumed += count * record;
        return count * record;
      },
      get consumed() {
        return consumed;
      },
      close: () => Promise.resolve(),
    };
  };
  return {
    path: 'made.pcap',
    earliest: BigInt(BASE_SECONDS) * SECOND + 5n,
    open: () => openCapture(open(), 'made.pcap'),
    done: () => undefined,
  };
}

async function play(timeline: RunTimeline, files: () => readonly MergeFile[], sink: Partial<FrameSink>) {
  const counts = emptyFeedCounts();
  await feed({
    timeline,
    policies: { backwards: 'send', oversize: 'fail' },
    mtu: null,
    files,
    sink: { origin: () => true, frame: () => true, commit: () => undefined, end: () => undefined, ...sink },
    counts,
    onPrefilled: () => undefined,
    stopped: () => false,
  });
  return counts;
}

test('ten million packets at 0.37 times the speed, in two loops, are each due to the nanosecond', async () => {
  const packets = 5_000_000;
  const last: Series = { seconds: BASE_SECONDS, nanos: 5, index: 0 };
  while (last.index < packets - 1) next(last);
  const base = BigInt(BASE_SECONDS) * SECOND + 5n;
  const period = BigInt(last.seconds) * SECOND + BigInt(last.nanos) - base;
  const timeline = { base: String(base), period: String(period), speed: '37/100', loops: 2, ...plainTiming };

  // due = floor(distance · 100 / 37), with the distance kept as a quotient and a rest, which are small enough.
  const at: Series = { seconds: 0, nanos: 0, index: 0 };
  let [quotient, rest] = [0, 0];
  let origin = 0;
  let wrong = 0;
  let seen = 0;
  const counts = await play(timeline, () => [madeFile(packets)], {
    origin(value) {
      origin = Number(value);
      return true;
    },
    frame(due) {
      if (seen === packets) {
        // The second loop begins a period after the first.
        at.index = 0;
        quotient = Number(period / 37n);
        rest = Number(period % 37n);
      }
      const expected = quotient * 100 + Math.floor((rest * 100) / 37);
      if (origin + due !== expected) wrong += 1;
      rest += GAPS[at.index % GAPS.length]!;
      at.index += 1;
      quotient += Math.floor(rest / 37);
      rest %= 37;
      seen += 1;
      return true;
    },
  });
  assert.deepEqual(
    [seen, wrong, counts.read, counts.loops, counts.backwards],
    [2 * packets, 0, 2 * packets, 2, 0],
  );
});

describe('at every speed', () => {
  const T = 1_600_000_000_123_456_789n;
  const sets: Stamps[] = [
    // Years apart: runs longer than 2^53 ns, and back.
    [T, T + 2n, T + 4n, T + 104n * DAY, T + 105n * DAY + 1n, T + 4000n * DAY + 3n],
    // Equal stamps, and such that run backwards.
    [T + 2n, T + 2n, T + 2n, T + 1n, T + 200n * DAY, T + 199n * DAY, T + 200n * DAY],
    // Begins before the base.
    [T - 3n * DAY, T - 1n, T + 7n],
    [],
    [T + 4000n * DAY + 3n],
  ];

  for (const speed of ['0.1', '0.37', '1', '2.5', '100']) {
    test(`${speed}, files of years, of one instant, of nothing, and from before the base are exact`, async () => {
      const ratio = parseRational(speed)!;
      const period = 4000n * DAY + 3n;
      const timeline = {
        base: String(T),
        period: String(period),
        speed: `${ratio.numerator}/${ratio.denominator}`,
        loops: 2,
        ...plainTiming,
      };
      const dues: bigint[] = [];
      let origin = 0n;
      let origins = 0;
      const counts = await play(timeline, () => watchedFiles(sets).files, {
        origin(value) {
          origin = value;
          origins += 1;
          return true;
        },
        frame(due) {
          assert.ok(Number.isSafeInteger(due));
          dues.push(origin + BigInt(due));
          return true;
        },
      });
      const expected = [0, 1].flatMap((loop) =>
        sets.flat().map((time) => dueOf(time, T, period, ratio, loop)),
      );
      const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
      assert.deepEqual(dues.toSorted(ascending), expected.toSorted(ascending));
      assert.equal(counts.backwards, 2 * 2);
      assert.ok(origins > 4, String(origins));
      assert.ok(dues[0]! < 0n);
    });
  }

  test('packets 2 ns apart stay so, after 100 days and after 4,000', async () => {
    for (const days of [100n, 4000n]) {
      const stamps = Array.from({ length: 500 }, (_, index) => T + days * DAY + 2n * BigInt(index));
      const timeline = {
        base: String(T),
        period: String(days * DAY),
        speed: '1/1',
        loops: 1,
        ...plainTiming,
      };
      const dues: bigint[] = [];
      let origin = 0n;
      await play(timeline, () => watchedFiles([[T, ...stamps]]).files, {
        origin(value) {
          origin = value;
          return true;
        },
        frame(due) {
          dues.push(origin + BigInt(due));
          return true;
        },
      });
      assert.deepEqual(
        dues.slice(1),
        stamps.map((stamp) => stamp - T),
      );
    }
  });
});
