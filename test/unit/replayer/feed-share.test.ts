// A set that several sensors share by flow, on pacers that only record: together they send what one sensor would, packet
// for packet at its time, and their accounts say whose each packet was.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BpfFilter } from '@capfleet/shared/bpf/filter';
import { OP } from '@capfleet/shared/bpf/program';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { noEdits } from '@capfleet/shared/edit/edit-plan';
import { feed, type FeedOptions } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { HeldPackets, ReorderingReader } from '@capfleet/replayer/reorder';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { ipv4Fragments, tcpFrame, TCP_ACK, udpFrame, type Conversation } from '../../support/frames.ts';
import { host } from '../../support/hosts.ts';
import { watchedFiles } from '../../support/merge-files.ts';
import { pcapFile } from '../../support/pcap-writer.ts';
import { plainTiming } from '../../support/play-results.ts';
import { createPrng } from '../../support/prng.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';

const T = 1_600_000_000;
const SENSORS = 3;
const PACKETS = 240;
const PERIOD = 1000 * (PACKETS - 1);

function conversation(port: number, isAnswer: boolean): Conversation {
  const [from, to] = [host('02:00:00:00:00:01', '10.0.0.1'), host('02:00:00:00:00:02', '10.0.0.2')];
  return isAnswer
    ? { from: to, to: from, fromPort: 80, toPort: port }
    : { from, to, fromPort: port, toPort: 80 };
}

/** Two files of 20 conversations, 1 µs apart with a few stamps that run backwards; some frames hold 4000 bytes. */
function makeFiles(): Map<number, Buffer> {
  const prng = createPrng(7);
  const records = Array.from({ length: PACKETS }, (_, n) => {
    const flow = conversation(1000 + prng.below(20), prng.chance(0.5));
    const payload = Buffer.alloc(prng.chance(0.1) ? 4000 : prng.between(4, 900));
    payload.writeUInt32BE(n);
    const data = prng.chance(0.3)
      ? udpFrame(flow, { payload })
      : tcpFrame(flow, { payload, sequence: n, acknowledgement: 1, flags: TCP_ACK });
    return { seconds: T, fraction: n % 50 === 49 ? (n - 5) * 1000 : n * 1000, data };
  });
  return new Map(
    [0, 1].map((file) => [
      file,
      pcapFile(
        { magic: 'ns' },
        records.filter((_, n) => (n >> 3) % 2 === file),
      ),
    ]),
  );
}

const bytes = makeFiles();
const stamps = [[BigInt(T) * 1_000_000_000n], [BigInt(T) * 1_000_000_000n + 8000n]];

type Change = Partial<Omit<FeedOptions, 'timeline'>> & { timing?: Partial<RunTimeline>; reorder?: number };

interface Fed {
  /** Due time and bytes of each frame. */
  sent: string[];
  counts: FeedCounts;
}

async function fedTo(index: number | null, { timing, reorder, ...change }: Change): Promise<Fed> {
  const pacer = recordingPacer({ ringBytes: 1 << 18 });
  const counts = emptyFeedCounts();
  await feed({
    timeline: {
      base: String(stamps[0]![0]),
      period: String(PERIOD),
      speed: '1/1',
      loops: 1,
      ...plainTiming,
      ...timing,
    },
    policies: { backwards: 'send', oversize: 'fail' },
    mtu: null,
    share: index === null ? null : { index, of: SENSORS, tunnels: 'inner' },
    files: () => {
      const { files } = watchedFiles(stamps, { bytes });
      const held = new HeldPackets();
      return reorder === undefined
        ? files
        : files.map((file) => ({
            ...file,
            open: async () => new ReorderingReader(await file.open(), reorder, held),
          }));
    },
    sink: new RingWriter(pacer),
    counts,
    onPrefilled: () => {
      pacer.start(0n);
    },
    stopped: () => false,
    ...change,
  });
  return { sent: pacer.frames.map(({ due, bytes: frame }) => `${due} ${frame.toString('hex')}`), counts };
}

async function fedToAll(change: Change): Promise<Fed[]> {
  return Promise.all(Array.from({ length: SENSORS }, (_, index) => fedTo(index, change)));
}

const packetsOf = ({ read, segments, segmented }: FeedCounts): number => read - segments + segmented;
const sumOf = (counts: readonly FeedCounts[], of: (each: FeedCounts) => number): number =>
  counts.reduce((sum, each) => sum + of(each), 0);

/** Together they send what one would, at its times, and count each packet once. */
async function assertShares(change: Change): Promise<{ whole: Fed; shares: Fed[] }> {
  const [whole, shares] = await Promise.all([fedTo(null, change), fedToAll(change)]);
  assert.deepEqual(shares.flatMap(({ sent }) => sent).sort(), whole.sent.toSorted());
  const counts = shares.map((each) => each.counts);
  for (const each of counts)
    assert.equal(packetsOf(each) + each.elsewhere, packetsOf(whole.counts), 'each reads the whole set');
  assert.equal(sumOf(counts, packetsOf), packetsOf(whole.counts));
  for (const key of ['read', 'backwards', 'reordered', 'segmented', 'segments', 'truncated'] as const)
    assert.equal(
      sumOf(counts, (each) => each[key]),
      whole.counts[key],
      key,
    );
  for (const cause of ['filtered', 'backwards', 'oversize', 'link-type'] as const)
    assert.equal(
      sumOf(counts, ({ refused }) => refused[cause]),
      whole.counts.refused[cause],
      cause,
    );
  assert.ok(
    shares.every(({ sent }) => sent.length > 0),
    'each has a share',
  );
  return { whole, shares };
}

/** Lets frames longer than so many bytes go. */
const longerThan = (least: number): BpfFilter =>
  new BpfFilter([
    { code: OP.loadLength, jt: 0, jf: 0, k: 0 },
    { code: OP.jumpGreaterConstant, jt: 0, jf: 1, k: least },
    { code: OP.returnConstant, jt: 0, jf: 0, k: 1 },
    { code: OP.returnConstant, jt: 0, jf: 0, k: 0 },
  ]);

describe('sensors that share a set by flow send together what one would', () => {
  const rate: Partial<RunTimeline> = { pace: { kind: 'packets', perSecond: '1000/7' } };
  const bits: Partial<RunTimeline> = { pace: { kind: 'megabits', perSecond: '3/1' } };
  const filter = longerThan(400);
  const skip = { backwards: 'skip', oversize: 'fail' } as const;
  const cases: [string, Change][] = [
    ['as it was', {}],
    ['in loops', { timing: { loops: 3, loopDelay: '77', speed: '3/2' } }],
    ['at once', { timing: { pace: { kind: 'top' } } }],
    ['in packets per second', { timing: { ...rate, loops: 2 } }],
    ['in bits per second', { timing: bits }],
    ['in bits per second, of what a filter lets go in order', { timing: bits, filter, policies: skip }],
    ['with gaps cut', { timing: { maxGap: '600' }, filter }],
    ['of a window', { timing: { base: String(stamps[0]![0]! + 30_000n), period: '90000', windowed: true } }],
    ['put in order', { reorder: 2000, policies: skip }],
    ['with other addresses in each loop', { timing: { loops: 3 }, edits: { ...noEdits, uniqueIp: true } }],
    ['with one address for all', { edits: { ...noEdits, ipMap: [{ from: '0.0.0.0/0', to: '10.9.9.9/0' }] } }],
    ['up to a limit', { timing: { ...rate, limit: 301, loops: 2 } }],
    ['up to a time', { timing: { duration: '150000' } }],
    ['up to a time, at a rate', { timing: { ...bits, duration: '90000000' } }],
    ['cut off', { mtu: 1500, policies: { backwards: 'send', oversize: 'truncate' } }],
    ['in segments', { mtu: 1500, policies: { backwards: 'send', oversize: 'segment' } }],
  ];
  for (const [name, change] of cases) test(name, () => assertShares(change).then(() => undefined));

  test('and keep each conversation on one of them', async () => {
    const { shares } = await assertShares({});
    const ports = shares.map(({ sent }) => {
      const frames = sent.map((line) => Buffer.from(line.split(' ')[1]!, 'hex'));
      return new Set(
        frames.map((frame) => `${frame[23]} ${Math.max(frame.readUInt16BE(34), frame.readUInt16BE(36))}`),
      );
    });
    const all = ports.flatMap((each) => [...each]);
    assert.equal(new Set(all).size, all.length);
    assert.ok(all.length > 30);
  });
});

describe('a sensor that shares a set by flow', () => {
  test('gives a packet one turn at a rate and in a limit, whatever becomes of it at one interface', async () => {
    const timing: Partial<RunTimeline> = { pace: { kind: 'packets', perSecond: '1000/1' }, limit: 200 };
    const mtus = [null, 1500, 1500];
    const policies = [
      { backwards: 'send', oversize: 'fail' },
      { backwards: 'send', oversize: 'segment' },
      { backwards: 'send', oversize: 'skip' },
    ] as const;
    const whole = await fedTo(null, { timing });
    const turns = new Set(whole.sent.map((line) => line.split(' ')[0]));
    let read = 0;
    for (const [index, policy] of policies.entries()) {
      const { sent, counts } = await fedTo(index, { timing, mtu: mtus[index]!, policies: policy });
      assert.equal(packetsOf(counts) + counts.elsewhere, 200);
      read += packetsOf(counts);
      const dues = new Set(sent.map((line) => line.split(' ')[0]));
      for (const due of dues) assert.ok(turns.delete(due), "a turn is one sensor's");
      if (policy.oversize === 'segment') assert.ok(counts.segmented > 0 && dues.size < sent.length);
      if (policy.oversize === 'skip') assert.ok(counts.refused.oversize > 0);
    }
    assert.equal(read, 200);
  });

  test('sends in each loop what it sent in the first one, fragments that come before their first one included', async () => {
    const frames = Array.from({ length: 20 }, (_, port) => {
      const whole = udpFrame(conversation(port, false), { payload: Buffer.alloc(99), identification: port });
      return ipv4Fragments(whole, 56).toReversed();
    }).flat();
    const records = frames.map((data, n) => ({ seconds: T, fraction: n, data }));
    const late = new Map([[0, pcapFile({ magic: 'ns' }, records)]]);
    const files = () => watchedFiles([stamps[0]!], { bytes: late }).files;
    const shares = await fedToAll({ files, timing: { loops: 2, period: '100' } });
    assert.equal(
      sumOf(
        shares.map(({ counts }) => counts),
        ({ read }) => read,
      ),
      2 * frames.length,
    );
    for (const { sent } of shares) {
      const bare = sent.map((line) => line.split(' ')[1]);
      assert.deepEqual(bare.slice(bare.length / 2), bare.slice(0, bare.length / 2));
    }
  });

  test('ends where nothing of an endless run is its own', async () => {
    const one = new Map([
      [
        0,
        pcapFile({}, [
          { seconds: T, fraction: 0, data: udpFrame(conversation(1, false), { payload: Buffer.alloc(9) }) },
        ]),
      ],
    ]);
    const files = () => watchedFiles([stamps[0]!], { bytes: one }).files;
    const shares = await fedToAll({ files, timing: { loops: 0, period: '5', limit: 4 } });
    assert.deepEqual(shares.map(({ sent }) => sent.length).sort(), [0, 0, 4]);
  });
});
