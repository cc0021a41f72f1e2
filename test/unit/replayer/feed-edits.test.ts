// Edits on the way of a frame: between what its stamp decides and what its size decides, in every loop.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import type { RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { feed, type FeedOptions } from '@capfleet/replayer/feed';
import { emptyFeedCounts, type FeedCounts } from '@capfleet/replayer/feed-counts';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { assertChecksums } from '../../support/edit-frames.ts';
import { numberedFrame } from '../../support/frames.ts';
import { host } from '../../support/hosts.ts';
import { watchedFiles } from '../../support/merge-files.ts';
import { pcapFile } from '../../support/pcap-writer.ts';
import { plainTiming } from '../../support/play-results.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';

const conversation = {
  from: host('02:00:00:00:00:01', '10.0.0.1'),
  to: host('02:00:00:00:00:02', '10.0.0.2'),
  fromPort: 1,
  toPort: 2,
};
const lengths = [60, 1500, 1511, 1514];
const frames = lengths.map((length, number) => numberedFrame(conversation, length, number));

interface Fed {
  frames: Buffer[];
  dues: bigint[];
  counts: FeedCounts;
}

async function fed(
  edits: Partial<EditPlan>,
  timing: Partial<RunTimeline> = {},
  options: Partial<FeedOptions> & { linkType?: number } = {},
): Promise<Fed> {
  const { linkType = 1, ...rest } = options;
  const data = linkType === 1 ? frames : frames.map((frame) => frame.subarray(14));
  const records = data.map((bytes, index) => ({ seconds: 1000, fraction: index, data: bytes }));
  const bytes = new Map([[0, pcapFile({ magic: 'ns', linkType }, records)]]);
  const base = 1000n * 1_000_000_000n;
  const pacer = recordingPacer({ ringBytes: 1 << 20 });
  const counts = emptyFeedCounts();
  await feed({
    timeline: { base: String(base), period: '3', speed: '1/1', loops: 1, ...plainTiming, ...timing },
    policies: { backwards: 'send', oversize: 'skip' },
    edits: { ...noEdits, ...edits },
    mtu: 1500,
    files: () => watchedFiles([data.map((_, index) => base + BigInt(index))], { bytes }).files,
    sink: new RingWriter(pacer),
    counts,
    onPrefilled: () => {
      pacer.start(0n);
    },
    stopped: () => false,
    ...rest,
  });
  return {
    frames: pacer.frames.map((frame) => Buffer.from(frame.bytes)),
    dues: pacer.frames.map(({ due }) => due),
    counts,
  };
}

const sizes = (out: Fed): number[] => out.frames.map(({ length }) => length);
const tag = { id: 5, priority: 0 };

describe('a replay that edits', () => {
  test('sends the edited frames, and without edits those that were captured', async () => {
    const out = await fed({ ipMap: [{ from: '10.0.0.0/8', to: '11.0.0.0/8' }] });
    assert.deepEqual(sizes(out), lengths);
    for (const frame of out.frames) {
      assert.deepEqual([frame[26], frame[30]], [11, 11]);
      assertChecksums(frame);
    }
    assert.deepEqual((await fed({})).frames, frames);
  });

  test('judges the size of what goes out', async () => {
    // An interface takes four bytes more where they are a tag of 802.1Q, not of 802.1ad.
    const tagged = await fed({ vlanAdd: { ...tag, type: '802.1Q' } });
    assert.deepEqual(sizes(tagged), [64, 1504, 1515, 1518]);
    const provider = await fed({ vlanAdd: { ...tag, type: '802.1ad' } });
    assert.deepEqual(sizes(provider), [64, 1504]);
    assert.equal(provider.counts.refused.oversize, 2);
    assert.deepEqual(provider.counts.firstOversize, { path: '0.pcap', bytes: 1515, limit: 1514 });
    const policies = { backwards: 'send', oversize: 'truncate' } as const;
    const cut = await fed({ vlanAdd: { ...tag, type: '802.1ad' } }, {}, { policies });
    assert.deepEqual([sizes(cut), cut.counts.truncated], [[64, 1504, 1514, 1514], 2]);
  });

  test('goes by the bits of what goes out where that is the pace', async () => {
    const pace = { kind: 'megabits', perSecond: '8/1' } as const;
    const { dues } = await fed({ vlanAdd: { ...tag, type: '802.1Q' } }, { pace });
    assert.deepEqual(dues, [0n, 64_000n, 1_568_000n, 3_083_000n]);
  });

  test('gives each loop other addresses where that is asked for', async () => {
    const out = await fed({ uniqueIp: true }, { loops: 3 });
    const addresses = out.frames.map((frame) => frame.toString('hex', 26, 34));
    assert.deepEqual(out.frames.slice(0, 4), frames);
    assert.equal(new Set(addresses).size, 3);
    for (const loop of [0, 1, 2]) assert.equal(new Set(addresses.slice(loop * 4, loop * 4 + 4)).size, 1);
    for (const frame of out.frames) assertChecksums(frame);
  });

  test('sends what it turns into Ethernet, and counts what it cannot', async () => {
    const out = await fed({ toEthernet: true }, {}, { linkType: 101 });
    assert.deepEqual(
      out.frames.map((frame) => frame.subarray(12)),
      frames.map((frame) => frame.subarray(12)),
    );
    const refused = await fed({ ttl: { kind: 'set', value: 1 } }, {}, { linkType: 101 });
    assert.deepEqual([refused.frames.length, refused.counts.refused['link-type']], [0, 4]);
    assert.equal(refused.counts.read, 4);
  });
});
