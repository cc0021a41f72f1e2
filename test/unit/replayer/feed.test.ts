import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { plainReplay, type ReplayPolicies, type RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { dueOf } from '@capfleet/shared/time/timeline';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import {
  mergedOrder,
  payload,
  watchedFiles,
  type Stamps,
  type WatchOptions,
} from '../../support/merge-files.ts';
import { blocks } from '../../support/pcapng-writer.ts';
import { recordingPacer, type RecordedFrame, type RecordingPacer } from '../../support/recording-pacer.ts';
import { plainTiming } from '../../support/play-results.ts';
import { createPrng } from '../../support/prng.ts';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { waitFor } from '../../support/wait-for.ts';

const T = 1_600_000_000_123_456_789n;
const DAY = 86_400_000_000_000n;

function timelineOf(sets: readonly Stamps[], speed: string, loops = 1, base?: bigint): RunTimeline {
  const all = sets.flat();
  const least = all.reduce((a, b) => (a < b ? a : b), all[0] ?? 0n);
  const most = all.reduce((a, b) => (a > b ? a : b), all[0] ?? 0n);
  const ratio = parseRational(speed)!;
  return {
    base: String(base ?? least),
    period: String(most - (base ?? least)),
    speed: `${ratio.numerator}/${ratio.denominator}`,
    loops,
    ...plainTiming,
  };
}

/** What must arrive at the pacer: every packet in merged order, due by bigint arithmetic. */
function expectedFrames(sets: readonly Stamps[], plan: RunTimeline, loops = plan.loops): RecordedFrame[] {
  const speed = parseRational(plan.speed)!;
  const order = mergedOrder(sets);
  return Array.from({ length: loops }, (_, loop) =>
    order.map(({ file, index, time }) => ({
      due: dueOf(time, BigInt(plan.base), BigInt(plan.period), speed, loop),
      bytes: payload(file, index),
    })),
  ).flat();
}

interface Fed {
  pacer: RecordingPacer;
  counts: FeedCounts;
  prefilled: number;
  done: Promise<void>;
  watched: ReturnType<typeof watchedFiles>['watched'];
  opens: () => number;
}

interface FeedSetup {
  pacer?: RecordingPacer;
  stopped?: (fed: Fed) => boolean;
  /** Starts the pacer as soon as all is prepared. */
  start?: boolean;
  watch?: WatchOptions;
  policies?: Partial<ReplayPolicies>;
  mtu?: number;
}

function startFeed(sets: readonly Stamps[], timeline: RunTimeline, setup: FeedSetup = {}): Fed {
  const { pacer = recordingPacer(), stopped = () => false, start = true, watch, mtu = null } = setup;
  const given = watchedFiles(sets, watch);
  let opens = 0;
  const fed: Fed = {
    pacer,
    counts: emptyFeedCounts(),
    prefilled: 0,
    done: Promise.resolve(),
    watched: given.watched,
    opens: () => opens,
  };
  fed.done = feed({
    timeline,
    policies: { ...plainReplay.policies, ...setup.policies },
    mtu,
    files() {
      opens += 1;
      return given.files;
    },
    sink: new RingWriter(pacer),
    counts: fed.counts,
    onPrefilled() {
      fed.prefilled += 1;
      if (start) pacer.start(0n);
    },
    stopped: () => stopped(fed),
  });
  return fed;
}

/** Three files side by side with odd gaps, ties and a stamp that runs backwards. */
const sets: Stamps[] = [
  [0n, 1n, 1n, 1_000_003n, 999_999n, 5_000_000_001n],
  [7n, 1_000_003n, 3_333_333_333n],
  [2n, 2n, 2n, 59_999_999_999n],
].map((offsets) => offsets.map((offset) => T + offset));

describe('a feed', () => {
  for (const speed of ['1', '2.5', '0.37', '100', '1/3', '1e-3', '67108863', '3/7']) {
    for (const loops of [1, 3]) {
      test(`at speed ${speed}, ${loops} times, gives every packet its due time to the nanosecond`, async () => {
        const timeline = timelineOf(sets, speed, loops);
        const fed = startFeed(sets, timeline);
        await fed.done;
        assert.deepEqual(fed.pacer.frames, expectedFrames(sets, timeline));
        assert.deepEqual(fed.counts, { ...emptyFeedCounts(), read: 13 * loops, backwards: loops, loops });
        assert.equal(fed.pacer.counts().state, 'done');
        assert.equal(fed.prefilled, 1);
        assert.equal(fed.watched.open, 0);
      });
    }
  }

  test('keeps to the timeline of the whole set, not of its own share', async () => {
    const share = [[T + 10n, T + 20n]];
    const timeline = { base: String(T), period: '1000', speed: '1/2', loops: 2, ...plainTiming };
    const fed = startFeed(share, timeline);
    await fed.done;
    assert.deepEqual(
      fed.pacer.frames.map(({ due }) => due),
      [20n, 40n, 2020n, 2040n],
    );
  });

  test('spans years, with an origin for each stretch that a plain number can count', async () => {
    const years: Stamps[] = [
      [T, T + 400n * DAY + 1n, T + 2000n * DAY + 3n],
      [T + 1n, T + 104n * DAY, T + 4000n * DAY - 1n],
    ];
    for (const speed of ['1', '1/3', '2.5']) {
      const timeline = timelineOf(years, speed, 2);
      const fed = startFeed(years, timeline);
      await fed.done;
      assert.deepEqual(fed.pacer.frames, expectedFrames(years, timeline));
      assert.ok(fed.pacer.origins.length >= 8, `${fed.pacer.origins.length} origins at speed ${speed}`);
    }
  });

  test('gives packets before the base a due time before the start', async () => {
    const early = [[T - 5n, T]];
    const timeline = { ...timelineOf(early, '1'), base: String(T), period: '0' };
    const fed = startFeed(early, timeline);
    await fed.done;
    assert.deepEqual(
      fed.pacer.frames.map(({ due }) => due),
      [-5n, 0n],
    );
  });

  test('carries any files over many laps of the ring, whatever the pacer takes at a time', async () => {
    const prng = createPrng(99);
    const many: Stamps[] = Array.from({ length: 4 }, () => {
      let time = T + BigInt(prng.below(1000));
      return Array.from({ length: 2500 }, () => (time += BigInt(prng.below(3000))));
    });
    const timeline = timelineOf(many, '0.37');
    for (const appetite of [1, 7, 1000]) {
      const pacer = recordingPacer({ ringBytes: 64 * 1024, appetite });
      const fed = startFeed(many, timeline, { pacer, watch: { reader: { chunk: 5000 } } });
      const eating = setInterval(() => pacer.consume(600), 1);
      try {
        await fed.done;
      } finally {
        clearInterval(eating);
      }
      pacer.consume();
      assert.ok(pacer.head > 6 * 64 * 1024);
      assert.deepEqual(pacer.frames, expectedFrames(many, timeline));
    }
  });

  test('is exact for any files, speed and loops', async () => {
    const file = fc.array(fc.bigInt({ min: 0n, max: 10_000_000_000n }), { minLength: 1, maxLength: 12 });
    const part = fc.integer({ min: 1, max: 2 ** 26 - 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 1, maxLength: 4 }),
        part,
        part.filter((d) => d < 2 ** 20),
        fc.integer({ min: 1, max: 3 }),
        async (offsets, n, d, loops) => {
          const given = offsets.map((stamps) => stamps.map((offset) => T + offset));
          const timeline = timelineOf(given, `${n}/${d}`, loops);
          const fed = startFeed(given, timeline);
          await fed.done;
          assert.deepEqual(fed.pacer.frames, expectedFrames(given, timeline));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('is prefilled once the ring is full, before anything is sent, and goes on when it is started', async () => {
    const long = [Array.from({ length: 3000 }, (_, i) => T + BigInt(i))];
    const pacer = recordingPacer();
    const fed = startFeed(long, timelineOf(long, '1'), { pacer, start: false });
    await waitFor('the ring is full', () => fed.prefilled === 1);
    assert.equal(pacer.frames.length, 0);
    assert.ok(fed.counts.read > 500 && fed.counts.read < 3000);
    assert.ok(pacer.head > 60 * 1024);
    pacer.start(0n);
    await fed.done;
    assert.equal(pacer.frames.length, 3000);
    assert.equal(fed.prefilled, 1);
  });

  test('of a small set is prefilled when it is in the ring once, however often it is to be played', async () => {
    const pacer = recordingPacer({ ringBytes: 16 * 1024 * 1024 });
    let loopsThen = -1;
    const fed = startFeed([[T, T + 5n]], timelineOf([[T, T + 5n]], '1', 0), {
      pacer,
      start: false,
      stopped: ({ counts, prefilled }) => {
        if (prefilled === 1 && loopsThen < 0) loopsThen = counts.loops;
        return prefilled === 1;
      },
    });
    await fed.done;
    assert.equal(loopsThen, 1);
  });

  test('of an empty share is prefilled and over at once, however often it is to be played', async () => {
    for (const loops of [0, 1, 5]) {
      for (const share of [[], [[]]] as Stamps[][]) {
        const fed = startFeed(share, {
          base: String(T),
          period: '1000',
          speed: '1/1',
          loops,
          ...plainTiming,
        });
        await fed.done;
        assert.deepEqual([fed.counts.read, fed.prefilled, fed.pacer.ended], [0, 1, true]);
        assert.equal(fed.pacer.counts().state, 'done');
      }
    }
  });
});

describe('a feed that is stopped', () => {
  const long = [Array.from({ length: 5000 }, (_, i) => T + BigInt(i) * 1000n)];

  test('while the ring is full ends soon, with its files closed and what it read counted', async () => {
    let stopped = false;
    const pacer = recordingPacer({ appetite: 0 });
    const fed = startFeed(long, timelineOf(long, '1'), { pacer, stopped: () => stopped });
    await waitFor('the ring is full', () => fed.prefilled === 1);
    const { read } = fed.counts;
    stopped = true;
    pacer.stop();
    const asked = performance.now();
    await fed.done;
    assert.ok(performance.now() - asked < 1000);
    assert.equal(fed.counts.read, read);
    assert.equal(fed.counts.loops, 0);
    assert.equal(fed.watched.open, 0);
    pacer.consume();
    assert.equal(pacer.frames.length, read, 'every packet counted as read is in the ring');
  });

  test('before it began reads nothing, and is prefilled all the same', async () => {
    const fed = startFeed(long, timelineOf(long, '1'), { stopped: () => true });
    await fed.done;
    assert.deepEqual([fed.counts.read, fed.prefilled, fed.opens()], [0, 1, 0]);
    assert.equal(fed.pacer.ended, true);
  });

  test('has played without end until then, every loop a period later than the one before', async () => {
    const timeline = timelineOf(sets, '0.37', 0);
    const fed = startFeed(sets, timeline, { stopped: ({ counts }) => counts.loops >= 50 });
    await fed.done;
    assert.equal(fed.counts.loops, 50);
    assert.deepEqual(fed.pacer.frames, expectedFrames(sets, timeline, 50));
    assert.equal(fed.watched.open, 0);
  });

  test('in the middle of a loop does not count that loop', async () => {
    const fed = startFeed(sets, timelineOf(sets, '1', 0), {
      pacer: recordingPacer({ ringBytes: 1024 * 1024 }),
      stopped: ({ counts }) => counts.read >= 20,
      watch: { reader: { chunk: 10 } },
    });
    await fed.done;
    assert.equal(fed.counts.loops, 1);
    assert.ok(fed.counts.read >= 20 && fed.counts.read < 26);
  });
});

describe('a feed with a file that fails', () => {
  test('goes on with the others, loop by loop', async () => {
    const given = [...sets, [T + 3n, T + 4n]];
    const timeline = timelineOf(sets, '1', 2);
    const fed = startFeed(given, timeline, { watch: { bytes: new Map([[3, Buffer.from('no capture')]]) } });
    await fed.done;
    assert.deepEqual(fed.pacer.frames, expectedFrames(sets, timeline));
    assert.equal(fed.watched.done.filter(({ file, failure }) => file === 3 && failure).length, 2);
  });

  test('does not run for ever where no file can be read and there is no end', async () => {
    const fed = startFeed([[T]], timelineOf([[T]], '1', 0), {
      watch: { bytes: new Map([[0, Buffer.alloc(0)]]) },
    });
    await fed.done;
    assert.equal(fed.counts.read, 0);
    assert.equal(fed.opens(), 1);
  });
});

describe('packets of another link type', () => {
  test('are read, counted and not written', async () => {
    const b = blocks('be');
    const at = (index: number, number: number): Buffer =>
      b.enhanced({ interface: number, stamp: T + BigInt(index), data: payload(0, index) });
    const parts = [b.interface({ resolution: 9 }), b.interface({ resolution: 9, linkType: 113 })];
    const bytes = Buffer.concat([b.section(), ...parts, at(0, 0), at(1, 1), at(2, 1), at(3, 0)]);
    const stamps = [[T, T + 1n, T + 2n, T + 3n]];
    const fed = startFeed(stamps, timelineOf(stamps, '1', 2), { watch: { bytes: new Map([[0, bytes]]) } });
    await fed.done;
    assert.deepEqual(fed.counts, {
      ...emptyFeedCounts(),
      read: 8,
      refused: { 'link-type': 4, backwards: 0, filtered: 0, oversize: 0 },
      loops: 2,
    });
    assert.deepEqual(
      fed.pacer.frames.map(({ bytes: sent }) => sent),
      [0, 3, 0, 3].map((index) => payload(0, index)),
    );
  });
});
