import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Merge } from '@capfleet/replayer/merge';
import {
  fileOf,
  mergedOrder,
  nameOf,
  payload,
  watchedFiles,
  type Stamps,
  type WatchedFiles,
} from '../../support/merge-files.ts';
import { blocks } from '../../support/pcapng-writer.ts';

const T = 1_600_000_000_000_000_000n;

/** Takes the merge to its end: names of the packets as [file, index], in order; `backwards` gets those that are. */
async function takeAll(merge: Merge, backwards: [number, number][] = []): Promise<[number, number][]> {
  const taken: [number, number][] = [];
  for (;;) {
    const reader = merge.next();
    if (reader) {
      const { window, dataStart, capturedLength } = reader;
      const name = nameOf(window.subarray(dataStart, dataStart + capturedLength));
      taken.push(name);
      if (merge.isBackwards) backwards.push(name);
    } else if (!(await merge.settle())) return taken;
  }
}

const expectedNames = (sets: readonly Stamps[]): [number, number][] =>
  mergedOrder(sets).map(({ file, index }) => [file, index]);

/** Stamps so close that ties and steps backwards are frequent. */
const anyFile = fc
  .array(fc.integer({ min: 0, max: 60 }), { maxLength: 25 })
  .map((steps): Stamps => steps.map((step) => T + BigInt(step)));
const sortedFile = fc
  .tuple(fc.integer({ min: 0, max: 300 }), fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }))
  .map(([begin, gaps]): Stamps => {
    let time = T + BigInt(begin);
    return gaps.map((gap) => (time += BigInt(gap)));
  });
const anyChunk = fc.constantFrom(1, 13, 100, 4096);

/** Files that reach over one instant at most, ends included; a file reaches from its least to its greatest stamp. */
function deepest(sets: readonly Stamps[]): number {
  const spans = sets
    .filter((stamps) => stamps.length > 0)
    .map((stamps) => stamps.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
    .map((sorted) => [sorted[0]!, sorted.at(-1)!] as const);
  return Math.max(0, ...spans.map(([at]) => spans.filter(([from, to]) => from <= at && at <= to).length));
}

describe('a merge', () => {
  test('is a stable sort by the latest stamp so far, ties by file, for any files', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyFile, { maxLength: 9 }), anyChunk, async (sets, chunk) => {
        const { files } = watchedFiles(sets, { reader: { chunk } });
        assert.deepEqual(await takeAll(new Merge(files)), expectedNames(sets));
      }),
      { numRuns: 300 },
    );
  });

  test('is a plain sort by time where no file runs backwards', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sortedFile, { maxLength: 12 }), async (sets) => {
        const { files } = watchedFiles(sets);
        const backwards: [number, number][] = [];
        const taken = await takeAll(new Merge(files), backwards);
        const times = taken.map(([file, index]) => sets[file]![index]!);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
        );
        assert.deepEqual(backwards, []);
      }),
      { numRuns: 200 },
    );
  });

  test('opens a file when the sequence reaches it, closes it when it is done, and no more at once than overlap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(anyFile, sortedFile), { maxLength: 12 }), async (sets) => {
        const { files, watched } = watchedFiles(sets.filter((stamps) => stamps.length > 0));
        await takeAll(new Merge(files));
        assert.equal(watched.open, 0);
        assert.equal(watched.opened.length, files.length);
        assert.ok(watched.most <= deepest(sets), `${watched.most} open, ${deepest(sets)} overlap`);
      }),
      { numRuns: 200 },
    );
  });

  test('of 2,000 files one after another has one open at a time', async () => {
    const sets = Array.from({ length: 2000 }, (_, i) => [T + BigInt(i * 10), T + BigInt(i * 10 + 5)]);
    const { files, watched } = watchedFiles(sets);
    const taken = await takeAll(new Merge(files));
    assert.equal(taken.length, 4000);
    assert.equal(watched.most, 1);
  });

  test('opens nothing before it is asked for a packet, and a later file only at its begin', async () => {
    const sets = [[T, T + 10n], [T + 5n], [T + 11n]];
    const { files, watched } = watchedFiles(sets);
    const merge = new Merge(files);
    assert.equal(merge.next(), null);
    assert.deepEqual(watched.opened, []);
    assert.equal(await merge.settle(), true);
    assert.deepEqual(watched.opened, [0]);
    assert.ok(merge.next());
    assert.equal(merge.next(), null);
    await merge.settle();
    assert.deepEqual(watched.opened, [0, 1]);
    await takeAll(merge);
    assert.deepEqual(watched.opened, [0, 1, 2]);
  });

  test('takes ties by the order of the files, whatever the order of their begins', async () => {
    const sets = [[T + 5n], [T, T + 5n], [T + 5n, T + 5n]];
    const { files } = watchedFiles(sets);
    assert.deepEqual(await takeAll(new Merge(files)), [
      [1, 0],
      [0, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ]);
  });

  test('gives a packet whose stamp runs backwards right after the one before it, and says so', async () => {
    const sets = [
      [T + 10n, T + 3n, T + 2n, T + 20n],
      [T + 5n, T + 10n, T + 11n],
    ];
    const { files } = watchedFiles(sets);
    const backwards: [number, number][] = [];
    assert.deepEqual(await takeAll(new Merge(files), backwards), [
      [1, 0],
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 2],
      [0, 3],
    ]);
    assert.deepEqual(backwards, [
      [0, 1],
      [0, 2],
    ]);
  });

  test('tells of each file how many packets it gave, once', async () => {
    const sets = [[T, T + 9n], [], [T + 3n]];
    const { files, watched } = watchedFiles(sets);
    await takeAll(new Merge(files));
    assert.deepEqual(
      watched.done.sort((a, b) => a.file - b.file),
      [2, 0, 1].map((packets, file) => ({ file, packets, failure: undefined, warnings: [] })),
    );
  });

  test('of nothing, and of files without packets, is over at once', async () => {
    for (const sets of [[], [[]], [[], [], []]]) {
      const { files, watched } = watchedFiles(sets);
      const merge = new Merge(files);
      assert.deepEqual(await takeAll(merge), []);
      assert.equal(await merge.settle(), false);
      assert.equal(merge.next(), null);
      assert.equal(watched.open, 0);
    }
  });

  test('that is closed in the middle closes what is open', async () => {
    const sets = [0, 1, 2].map(() => Array.from({ length: 50 }, (_, i) => T + BigInt(i)));
    for (const take of [0, 1, 2, 60]) {
      const { files, watched } = watchedFiles(sets, { reader: { chunk: 100 } });
      const merge = new Merge(files);
      for (let taken = 0; taken < take;) {
        if (merge.next()) taken += 1;
        else await merge.settle();
      }
      await merge.close();
      assert.equal(watched.open, 0, `after ${take}`);
    }
  });
});

describe('a file that fails', () => {
  const sets = [0n, 1n, 2n].map((shift) => Array.from({ length: 40 }, (_, i) => T + BigInt(i * 3) + shift));
  const others = (file: number): [number, number][] => expectedNames(sets).filter(([of]) => of !== file);
  const doneOf = ({ watched }: WatchedFiles, file: number) =>
    watched.done.filter((done) => done.file === file);

  test('to open leaves the others whole, and is told with its failure', async () => {
    for (const file of [0, 1, 2]) {
      const given = watchedFiles(sets);
      const error = new Error('gone');
      given.files[file] = { ...given.files[file]!, open: () => Promise.reject(error) };
      assert.deepEqual(await takeAll(new Merge(given.files)), others(file));
      assert.deepEqual(doneOf(given, file), [{ file, packets: 0, failure: error, warnings: [] }]);
      assert.equal(given.watched.open, 0);
    }
  });

  test('to read in the middle gives what came before, and leaves the others whole', async () => {
    for (const file of [0, 1, 2]) {
      const error = new Error('EIO');
      const given = watchedFiles(sets, {
        reader: { chunk: 64 },
        failures: new Map([[file, { at: 700, error }]]),
      });
      const taken = await takeAll(new Merge(given.files));
      const own = taken.filter(([of]) => of === file);
      assert.ok(own.length > 5 && own.length < 40);
      assert.deepEqual(
        taken.filter(([of]) => of !== file),
        others(file),
      );
      assert.deepEqual(
        taken,
        expectedNames(sets).filter(([of, index]) => of !== file || index < own.length),
      );
      assert.deepEqual(doneOf(given, file), [{ file, packets: own.length, failure: error, warnings: [] }]);
      assert.equal(given.watched.open, 0);
    }
  });

  test('because it is cut gives what came before, with its warning', async () => {
    const cut = fileOf(1, sets[1]!).subarray(0, 500);
    const given = watchedFiles(sets, { bytes: new Map([[1, cut]]) });
    const taken = await takeAll(new Merge(given.files));
    assert.deepEqual(
      taken.filter(([of]) => of !== 1),
      others(1),
    );
    const packets = taken.filter(([of]) => of === 1).length;
    assert.deepEqual(doneOf(given, 1), [
      { file: 1, packets, failure: undefined, warnings: ['cut-off-record'] },
    ]);
  });

  test('because it is no capture leaves the others whole', async () => {
    const given = watchedFiles(sets, { bytes: new Map([[2, Buffer.from('no capture at all')]]) });
    assert.deepEqual(await takeAll(new Merge(given.files)), others(2));
    const [done] = doneOf(given, 2);
    assert.equal((done?.failure as { code?: string } | undefined)?.code, 'capture-unknown');
    assert.equal(given.watched.open, 0);
  });
});

describe('packets without a stamp', () => {
  const b = blocks('le');
  const section = [b.section(), b.interface({ resolution: 9 })];
  const stamped = (index: number, time: bigint): Buffer =>
    b.enhanced({ stamp: time, data: payload(0, index) });
  const bare = (index: number): Buffer => b.simple(payload(0, index));
  const mixed = Buffer.concat([
    ...section,
    bare(0),
    stamped(1, T + 10n),
    bare(2),
    bare(3),
    stamped(4, T + 5n),
    bare(5),
    stamped(6, T + 30n),
  ]);
  const sets: Stamps[] = [[T + 5n], [T + 7n, T + 11n, T + 20n]];

  test('come right after the packet before them, and are no steps backwards', async () => {
    const { files } = watchedFiles(sets, { bytes: new Map([[0, mixed]]) });
    const merge = new Merge(files);
    const taken: [number, number, bigint][] = [];
    const backwards: number[] = [];
    for (;;) {
      const reader = merge.next();
      if (!reader) {
        if (await merge.settle()) continue;
        break;
      }
      const { window, dataStart, capturedLength } = reader;
      if (merge.isBackwards) backwards.push(taken.length);
      const time = BigInt(merge.seconds) * 1_000_000_000n + BigInt(merge.nanos);
      taken.push([...nameOf(window.subarray(dataStart, dataStart + capturedLength)), time - T]);
    }
    assert.deepEqual(taken, [
      [0, 0, 5n],
      [1, 0, 7n],
      [0, 1, 10n],
      [0, 2, 10n],
      [0, 3, 10n],
      [0, 4, 5n],
      [0, 5, 5n],
      [1, 1, 11n],
      [1, 2, 20n],
      [0, 6, 30n],
    ]);
    assert.deepEqual(backwards, [5]);
  });
});
