// What the options of a replay do to which packets go out and when, to the nanosecond, on a pacer that only records.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { OP } from '@capfleet/shared/bpf/program';
import { paceSchema, SLOWEST_RATE, type RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { parseRational } from '@capfleet/shared/time/rational';
import { feed, type FeedOptions } from '@capfleet/replayer/feed';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { nameOf, payload, watchedFiles, type Stamps } from '../../support/merge-files.ts';
import { plainTiming } from '../../support/play-results.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';

const T = 1_600_000_000_123_456_789n;
const SECOND = 1_000_000_000n;

interface Fed {
  /** File and number of each packet that went out, and when it was due, ns after the start. */
  readonly sent: readonly (readonly [file: number, index: number, due: bigint])[];
  readonly lengths: readonly number[];
  readonly counts: FeedCounts;
}

async function fed(
  sets: readonly (readonly bigint[])[],
  timing: Partial<RunTimeline>,
  options: Partial<Pick<FeedOptions, 'mtu' | 'policies' | 'filter'>> = {},
): Promise<Fed> {
  const stamps: Stamps[] = sets.map((offsets) => offsets.map((offset) => T + offset));
  const all = sets.flat();
  const latest = all.reduce((a, b) => (a > b ? a : b), 0n);
  const pacer = recordingPacer({ ringBytes: 1 << 20 });
  const counts = emptyFeedCounts();
  await feed({
    timeline: { base: String(T), period: String(latest), speed: '1/1', loops: 1, ...plainTiming, ...timing },
    policies: { backwards: 'send', oversize: 'fail' },
    mtu: null,
    files: () => watchedFiles(stamps).files,
    sink: new RingWriter(pacer),
    counts,
    onPrefilled: () => {
      pacer.start(0n);
    },
    stopped: () => false,
    ...options,
  });
  return {
    sent: pacer.frames.map(({ bytes, due }) => [...nameOf(bytes), due]),
    lengths: pacer.frames.map(({ bytes }) => bytes.length),
    counts,
  };
}

const dues = ({ sent }: Fed): bigint[] => sent.map(([, , due]) => due);
const ids = ({ sent }: Fed): string[] => sent.map(([file, index]) => `${file}:${index}`);

describe('a rate', () => {
  const sets = [
    [0n, 5n, 77n],
    [3n, 4n],
  ];

  test('in packets per second spaces them evenly, in their order, over all loops', async () => {
    const out = await fed(sets, { pace: { kind: 'packets', perSecond: '25/1' }, loops: 2 });
    assert.deepEqual(
      dues(out),
      Array.from({ length: 10 }, (_, n) => BigInt(n) * 40_000_000n),
    );
    assert.deepEqual(ids(out).slice(0, 5), ['0:0', '1:0', '1:1', '0:1', '0:2']);
  });

  test('never drifts: packet n is due at the n-th multiple, rounded down', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 26 - 1 }),
        fc.integer({ min: 1, max: 2 ** 26 - 1 }),
        async (numerator, denominator) => {
          fc.pre(numerator / denominator >= SLOWEST_RATE);
          const { numerator: n, denominator: d } = parseRational(`${numerator}/${denominator}`)!;
          const out = await fed([Array.from({ length: 40 }, (_, i) => BigInt(i))], {
            pace: { kind: 'packets', perSecond: `${n}/${d}` },
          });
          assert.deepEqual(
            dues(out),
            Array.from({ length: 40 }, (_, i) => (BigInt(i) * SECOND * BigInt(d)) / BigInt(n)),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test('in megabits per second waits for the bits of the frames before', async () => {
    const out = await fed(sets, { pace: { kind: 'megabits', perSecond: '3/1' } });
    let bits = 0n;
    const expected = out.lengths.map((length) => {
      const due = (bits * 1000n) / 3n;
      bits += 8n * BigInt(length);
      return due;
    });
    assert.deepEqual(dues(out), expected);
  });

  test('is exact at its slowest, and a slower one does not fit a plan', async () => {
    for (const [kind, largest] of [
      ['packets', SECOND],
      ['megabits', 8n * 21n * 1000n],
    ] as const) {
      const out = await fed([[0n, 1n, 2n]], { pace: { kind, perSecond: '1/1000000' } });
      const [, second = 0n, third = 0n] = dues(out);
      assert.ok(second >= largest && third > second);
      if (kind === 'packets')
        assert.deepEqual([second, third], [SECOND * 1_000_000n, 2n * SECOND * 1_000_000n]);
      assert.ok(paceSchema.safeParse({ kind, perSecond: '1/1000000' }).success);
      assert.ok(!paceSchema.safeParse({ kind, perSecond: '1/1000001' }).success);
    }
  });

  test('that is none lets everything go at once', async () => {
    assert.deepEqual(dues(await fed(sets, { pace: { kind: 'top' }, loops: 2 })), Array(10).fill(0n));
  });
});

describe('a delay between loops', () => {
  test('is added in time on the wire, whatever the speed', async () => {
    const out = await fed([[0n, 1000n]], { speed: '2/1', loops: 3, loopDelay: '7' });
    assert.deepEqual(dues(out), [0n, 500n, 507n, 1007n, 1014n, 1514n]);
  });

  test('is added to a rate too', async () => {
    const out = await fed([[0n, 1n]], {
      pace: { kind: 'packets', perSecond: '1000/1' },
      loops: 2,
      loopDelay: '500',
    });
    assert.deepEqual(dues(out), [0n, 1_000_000n, 2_000_500n, 3_000_500n]);
  });
});

describe('a longest gap', () => {
  test('takes out idle time beyond it, and says how much', async () => {
    const out = await fed([[0n, 10n, 500n, 505n, 10_000n]], { maxGap: '100' });
    assert.deepEqual(dues(out), [0n, 10n, 110n, 115n, 215n]);
    assert.equal(out.counts.shortened, 390n + 9395n);
  });

  test('counts on the wire, and between loops', async () => {
    const out = await fed([[0n, 400n]], { maxGap: '100', speed: '2/1', loops: 2, loopDelay: '300' });
    assert.deepEqual(dues(out), [0n, 100n, 200n, 300n]);
    assert.equal(out.counts.shortened, 100n + 200n + 100n);
  });

  test('is not taken out after a stamp that runs backwards', async () => {
    const out = await fed([[0n, 1000n, 10n, 1050n]], { maxGap: '1000' });
    assert.deepEqual(dues(out), [0n, 1000n, 10n, 1050n]);
  });

  test('holds in runs longer than a plain number of nanoseconds', async () => {
    const far = 200n * 86_400n * SECOND;
    const out = await fed([[0n, far, far + 5n]], { maxGap: '100' });
    assert.deepEqual(dues(out), [0n, 100n, 105n]);
    assert.equal(out.counts.shortened, far - 100n);
  });
});

describe('a window', () => {
  const sets = [
    [0n, 10n, 20n, 30n, 40n],
    [5n, 20n, 31n],
  ];

  test('plays the packets between its ends, both included, from its own start', async () => {
    const out = await fed(sets, { windowed: true, base: String(T + 10n), period: '20', loops: 2 });
    assert.deepEqual(ids(out).slice(0, 4), ['0:1', '0:2', '1:1', '0:3']);
    assert.deepEqual(dues(out), [0n, 10n, 10n, 20n, 20n, 30n, 30n, 40n]);
    assert.equal(out.counts.read, 8);
    assert.equal(out.counts.loops, 2);
  });

  test('leaves out a packet of before it that comes late in its file', async () => {
    const out = await fed([[0n, 10n, 3n, 12n]], { windowed: true, base: String(T + 5n), period: '10' });
    assert.deepEqual(ids(out), ['0:1', '0:3']);
  });

  test('without one, a packet of before the base goes out, due before the start', async () => {
    const out = await fed([[0n, 10n]], { base: String(T + 4n) });
    assert.deepEqual(dues(out), [-4n, 6n]);
  });
});

describe('an end', () => {
  const sets = [[0n, 10n, 20n, 30n]];

  test('after so many packets is kept over loops', async () => {
    const out = await fed(sets, { limit: 6, loops: 3 });
    assert.deepEqual(ids(out), ['0:0', '0:1', '0:2', '0:3', '0:0', '0:1']);
    assert.equal(out.counts.read, 6);
    assert.equal(out.counts.loops, 1);
  });

  test('after so much time lets out what is due by then', async () => {
    assert.deepEqual(dues(await fed(sets, { duration: '20' })), [0n, 10n, 20n]);
    assert.deepEqual(dues(await fed(sets, { duration: '35', loops: 0 })), [0n, 10n, 20n, 30n, 30n]);
    const pace = { kind: 'packets', perSecond: '1000/1' } as const;
    const paced = await fed(sets, { duration: '5000000', loops: 0, pace });
    assert.deepEqual(dues(paced), [0n, 1_000_000n, 2_000_000n, 3_000_000n, 4_000_000n, 5_000_000n]);
  });
});

describe('a stamp that runs backwards', () => {
  const sets = [[0n, 100n, 50n, 70n, 200n]];

  test('goes out right away by default', async () => {
    const out = await fed(sets, {});
    assert.deepEqual(ids(out), ['0:0', '0:1', '0:2', '0:3', '0:4']);
    assert.equal(out.counts.backwards, 1);
  });

  test('is left out where that is asked for, with all that is earlier than what came before', async () => {
    const out = await fed(sets, {}, { policies: { backwards: 'skip', oversize: 'fail' } });
    assert.deepEqual(ids(out), ['0:0', '0:1', '0:4']);
    assert.deepEqual(out.counts.refused, { 'link-type': 0, backwards: 2, filtered: 0, oversize: 0 });
    assert.equal(out.counts.read, 5);
  });
});

describe('a frame larger than the interface takes', () => {
  const sets = [[0n, 1n, 2n, 3n]];
  const mtu = 5;
  const lengths = [0, 1, 2, 3].map((index) => payload(0, index).length);

  test('is refused by default, where that was not possible before the start', async () => {
    const out = await fed(sets, {}, { mtu });
    const fitting = lengths.filter((length) => length <= mtu + 14);
    assert.deepEqual(out.lengths, fitting);
    assert.equal(out.counts.refused.oversize, 4 - fitting.length);
  });

  test('is left out, counted, and the first one is named', async () => {
    const out = await fed(sets, {}, { mtu, policies: { backwards: 'send', oversize: 'skip' } });
    const fitting = lengths.filter((length) => length <= mtu + 14);
    assert.deepEqual(out.lengths, fitting);
    assert.equal(out.counts.refused.oversize, 4 - fitting.length);
    const first = lengths.find((length) => length > mtu + 14);
    assert.deepEqual(out.counts.firstOversize, { path: '0.pcap', bytes: first, limit: mtu + 14 });
  });

  test('loses its end', async () => {
    const out = await fed(sets, {}, { mtu, policies: { backwards: 'send', oversize: 'truncate' } });
    assert.deepEqual(
      out.lengths,
      lengths.map((length) => Math.min(length, mtu + 14)),
    );
    assert.equal(out.counts.truncated, lengths.filter((length) => length > mtu + 14).length);
  });
});

describe('a filter', () => {
  const sets = [
    [0n, 10n, 20n, 30n],
    [5n, 25n],
  ];
  const longerThan = (length: number): BpfFilter =>
    new BpfFilter([
      { code: OP.loadLength, jt: 0, jf: 0, k: 0 },
      { code: OP.jumpGreaterConstant, jt: 0, jf: 1, k: length },
      { code: OP.returnConstant, jt: 0, jf: 0, k: 1 },
      { code: OP.returnConstant, jt: 0, jf: 0, k: 0 },
    ]);

  test('leaves the others where they are in time, and counts what it keeps back', async () => {
    const all = await fed(sets, {});
    const middle = [...all.lengths].sort((a, b) => a - b)[2] ?? 0;
    const kept = all.sent.filter((_, i) => (all.lengths[i] ?? 0) > middle);
    const out = await fed(sets, {}, { filter: longerThan(middle) });
    assert.deepEqual(out.sent, kept);
    assert.deepEqual([out.counts.read, out.counts.refused.filtered], [6, 6 - kept.length]);
    assert.ok(kept.length < 6);
  });

  test('gives no time at a rate to what it keeps back, and lets a limit count it', async () => {
    const none = await fed(sets, { limit: 4 }, { filter: longerThan(1_000_000) });
    assert.deepEqual([none.sent.length, none.counts.read, none.counts.refused.filtered], [0, 4, 4]);
  });

  test('is asked before the size of a frame is', async () => {
    const policies = { backwards: 'send', oversize: 'skip' } as const;
    const out = await fed(sets, {}, { filter: longerThan(1_000_000), mtu: 1, policies });
    assert.deepEqual(out.counts.refused, { 'link-type': 0, backwards: 0, filtered: 6, oversize: 0 });
    assert.equal(out.counts.firstOversize, null);
  });
});

describe('a run', () => {
  test('goes on behind a stamp that is far beyond its window, with what lies inside', async () => {
    const window = { windowed: true, period: String(13n * SECOND) };
    const stamps = [[10n * SECOND, 11n * SECOND, 4000n * SECOND, 12n * SECOND, 13n * SECOND]];
    const out = await fed(stamps, window);
    assert.deepEqual(ids(out), ['0:0', '0:1', '0:3', '0:4']);
  });

  test('without end ends where a whole pass sends nothing', async () => {
    const drop = new BpfFilter([{ code: OP.returnConstant, jt: 0, jf: 0, k: 0 }]);
    const { counts } = await fed([[0n, 5n]], { loops: 0 }, { filter: drop });
    assert.deepEqual([counts.read, counts.refused.filtered], [2, 2]);
  });

  test('lets others of its thread have a turn, though all it reads is in memory', async () => {
    let stopped = false;
    setImmediate(() => (stopped = true));
    const pacer = recordingPacer({ ringBytes: 1 << 20 });
    const drop = new BpfFilter([{ code: OP.returnConstant, jt: 0, jf: 0, k: 0 }]);
    await feed({
      timeline: { base: String(T), period: '5', speed: '1/1', ...plainTiming, loops: 1_000_000_000 },
      policies: { backwards: 'send', oversize: 'fail' },
      mtu: null,
      filter: drop,
      files: () => watchedFiles([[T, T + 5n]]).files,
      sink: new RingWriter(pacer),
      counts: emptyFeedCounts(),
      onPrefilled: () => undefined,
      stopped: () => stopped,
    });
    assert.equal(stopped, true);
  });
});
