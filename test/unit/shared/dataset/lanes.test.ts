import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { inferLanes, type Span } from '@capfleet/shared/dataset/lanes';

function spans(...pairs: readonly (readonly [number, number])[]): Span[] {
  return pairs.map(([earliest, latest]) => ({ earliest: BigInt(earliest), latest: BigInt(latest) }));
}

/** Two files that one thread cannot both have written: they have an instant in common that is no border of both. */
function overlap(a: Span, b: Span): boolean {
  return a.earliest < b.latest && b.earliest < a.latest;
}

/** The largest number of files that overlap at one place, by looking at every place. */
function depth(all: readonly Span[]): number {
  const borders = [...new Set(all.flatMap(({ earliest, latest }) => [earliest, latest]))].sort((a, b) =>
    a < b ? -1 : 1,
  );
  let most = 0;
  for (const [index, place] of borders.entries()) {
    const around = all.filter(({ earliest, latest }) => earliest < place && place < latest).length;
    const atOnce = all.some(({ earliest, latest }) => earliest === place && latest === place) ? 1 : 0;
    const next = borders[index + 1];
    const behind =
      next === undefined
        ? 0
        : all.filter(({ earliest, latest }) => earliest <= place && latest >= next).length;
    most = Math.max(most, around + atOnce, behind);
  }
  return most;
}

const anySpans = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 12 })).map(([begin, length]): Span => {
    return { earliest: BigInt(begin), latest: BigInt(begin + length) };
  }),
  { maxLength: 40 },
);
const runs = { numRuns: 500 };

describe('lanes', () => {
  for (const [what, files, lanes] of [
    ['nothing has none', spans(), []],
    ['one file is lane 0', spans([5, 9]), [0]],
    ['files one after another are one lane', spans([0, 4], [5, 9], [10, 20]), [0, 0, 0]],
    ['files that touch in one instant are one lane', spans([0, 5], [5, 9], [9, 9], [9, 12]), [0, 0, 0, 0]],
    ['files that overlap are two', spans([0, 6], [5, 9]), [0, 1]],
    ['equal spans are one lane each', spans([0, 5], [0, 5], [0, 5]), [0, 1, 2]],
    ['a file inside another is a lane of its own', spans([0, 10], [5, 5]), [0, 1]],
    ['equal instants are one lane', spans([5, 5], [5, 5]), [0, 0]],
    ['lanes are numbered by their first begin, not by the order of the list', spans([5, 9], [0, 6]), [1, 0]],
    ['a file goes on the lane that ended latest before it', spans([0, 4], [1, 7], [8, 9]), [0, 1, 1]],
    ['and the other lane goes on with the next', spans([0, 4], [1, 7], [8, 12], [9, 10]), [0, 1, 1, 0]],
  ] as const) {
    test(what, () => assert.deepEqual(inferLanes(files), lanes));
  }

  test('tell four threads apart that rotate at paces of their own without a pause', () => {
    const paces = [7, 11, 13, 17];
    const files: (Span & { thread: number })[] = [];
    for (const [thread, pace] of paces.entries()) {
      // A thread's file ends just before its next one begins; borders of different threads never meet.
      for (let begin = thread; begin < 1000; begin += pace * 4) {
        const end = begin + pace * 4 - 1;
        files.push({ thread, earliest: BigInt(begin * 10 + thread), latest: BigInt(end * 10 + thread + 5) });
      }
    }
    files.sort((a, b) => Number(a.earliest % 97n) - Number(b.earliest % 97n));
    const lanes = inferLanes(files);
    for (const thread of paces.keys()) {
      const own = new Set(lanes.filter((_, index) => files[index]?.thread === thread));
      assert.equal(own.size, 1, `thread ${thread} is in lanes ${[...own].join(', ')}`);
    }
    assert.equal(new Set(lanes).size, 4);
  });

  test('never hold two files that overlap', () => {
    fc.assert(
      fc.property(anySpans, (files) => {
        const lanes = inferLanes(files);
        for (const [i, a] of files.entries())
          for (const [j, b] of files.entries())
            if (i < j && lanes[i] === lanes[j]) assert.ok(!overlap(a, b), `${i} and ${j}`);
      }),
      runs,
    );
  });

  test('are as few as the deepest overlap, numbered without a gap', () => {
    fc.assert(
      fc.property(anySpans, (files) => {
        const lanes = inferLanes(files);
        assert.equal(lanes.length, files.length);
        const used = [...new Set(lanes)].sort((a, b) => a - b);
        assert.deepEqual(
          used,
          Array.from({ length: depth(files) }, (_, lane) => lane),
        );
      }),
      runs,
    );
  });

  test('do not depend on the order of the list', () => {
    const shuffled = anySpans.chain((files) =>
      fc.tuple(
        fc.constant(files),
        fc.shuffledSubarray(
          files.map((_, i) => i),
          { minLength: files.length },
        ),
      ),
    );
    const key = ({ earliest, latest }: Span, lane: number | undefined): string =>
      `${String(earliest)}-${String(latest)}:${String(lane)}`;
    fc.assert(
      fc.property(shuffled, ([files, order]) => {
        const straight = inferLanes(files);
        const other = order.map((index) => files[index]!);
        const mixed = inferLanes(other);
        assert.deepEqual(
          other.map((span, i) => key(span, mixed[i])).sort(),
          files.map((span, i) => key(span, straight[i])).sort(),
        );
      }),
      runs,
    );
  });
});
