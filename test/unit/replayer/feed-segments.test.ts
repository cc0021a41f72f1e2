// What becomes of frames that are too large where they are to go out in segments: when each segment is due, and how
// they are counted, on a pacer that only records.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { tcpFrame, TCP_ACK, udpFrame } from '../../support/frames.ts';
import { watchedFiles } from '../../support/merge-files.ts';
import { numberedConversation } from '../../support/numbered-set.ts';
import { pcapFile } from '../../support/pcap-writer.ts';
import { plainTiming } from '../../support/play-results.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';

const T = 1_600_000_000n;
const SECOND = 1_000_000_000n;
const HEADERS = 54;

const tcp = (bytes: number): Buffer =>
  tcpFrame(numberedConversation, {
    payload: Buffer.alloc(bytes, 1),
    sequence: 5,
    acknowledgement: 6,
    flags: TCP_ACK,
  });
/** 1 ms apart: as it is, three segments, none possible, two segments. */
const frames = [
  tcp(1460),
  tcp(4000),
  udpFrame(numberedConversation, { payload: Buffer.alloc(3000) }),
  tcp(1461),
];

async function fed(timing: Partial<RunTimeline> = {}, ringBytes = 1 << 20) {
  const bytes = pcapFile(
    {},
    frames.map((data, index) => ({ seconds: Number(T), fraction: index * 1000, data })),
  );
  const counts = emptyFeedCounts();
  const pacer = recordingPacer({ ringBytes });
  await feed({
    timeline: {
      base: String(T * SECOND),
      period: '3000000',
      speed: '1/1',
      loops: 1,
      ...plainTiming,
      ...timing,
    },
    policies: { backwards: 'send', oversize: 'segment' },
    mtu: 1500,
    files: () => watchedFiles([[T * SECOND]], { bytes: new Map([[0, bytes]]) }).files,
    sink: new RingWriter(pacer),
    counts,
    onPrefilled: () => {
      pacer.start(0n);
    },
    stopped: () => false,
  });
  return { sent: pacer.frames.map(({ due, bytes: { length } }) => [Number(due), length] as const), counts };
}

const only = (change: Partial<FeedCounts>): FeedCounts => ({ ...emptyFeedCounts(), ...change });
const firstOversize = { path: '0.pcap', bytes: HEADERS + 4000, limit: 1514 };
const refused = { 'link-type': 0, backwards: 0, filtered: 0, oversize: 1 };

describe('frames too large, in segments', () => {
  test('are due with their frame, and counted apart from what is split and what cannot be', async () => {
    const { sent, counts } = await fed();
    assert.deepEqual(sent, [
      [0, 1514],
      [1_000_000, 1514],
      [1_000_000, 1514],
      [1_000_000, HEADERS + 1080],
      [3_000_000, 1514],
      [3_000_000, HEADERS + 1],
    ]);
    assert.deepEqual(counts, only({ read: 7, segmented: 2, segments: 5, refused, firstOversize, loops: 1 }));
  });

  test('take their turns at a rate, each as a packet of its own', async () => {
    const { sent } = await fed({ pace: { kind: 'packets', perSecond: '1000/1' } });
    assert.deepEqual(
      sent.map(([due]) => due),
      [0, 1, 2, 3, 4, 5].map((n) => n * 1_000_000),
    );
    const paced = await fed({ pace: { kind: 'megabits', perSecond: '8/1' } });
    assert.deepEqual(
      paced.sent.map(([due]) => due),
      [0, 1514, 3028, 4542, 4542 + HEADERS + 1080, 6056 + HEADERS + 1080].map((bytes) => bytes * 1000),
    );
  });

  test('end at a limit in their midst', async () => {
    const { sent, counts } = await fed({ limit: 3, loops: 2 });
    assert.equal(sent.length, 3);
    assert.deepEqual(counts, only({ read: 3, segmented: 1, segments: 2, firstOversize }));
  });

  test('wait for room in the ring like any frame', async () => {
    const { sent, counts } = await fed({ loops: 30 }, 8192);
    assert.equal(sent.length, 30 * 6);
    assert.deepEqual([counts.read, counts.segmented, counts.segments], [210, 60, 150]);
  });
});
