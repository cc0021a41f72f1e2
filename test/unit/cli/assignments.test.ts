// Every way to share a set by, over captures that were not made for this project: over all sensors each packet of the
// window goes out once, at its time, and by flow no conversation is on two of them. Each sensor's plan is fed here.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { AssignmentRule } from '@capfleet/shared/dataset/assignment';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { plainReplay, planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { noEdits } from '@capfleet/shared/edit/edit-plan';
import { canGoOut } from '@capfleet/shared/edit/to-ethernet';
import { disk } from '@capfleet/shared/source/disk';
import { mapFile } from '@capfleet/mapper/map-file';
import { feedPlan } from '@capfleet/cli/feed-plan';
import { conversationOf } from '../../support/conversation.ts';
import { realCaptures } from '../../support/real-captures.ts';

const real = realCaptures();
const skip = typeof real === 'string' ? real : false;
if (skip !== false) process.stderr.write(`SKIPPED ${import.meta.filename}: ${skip}\n`);

const SENSORS = ['a', 'b', 'c'];
const edits = { ...noEdits, toEthernet: true };
/** Captures stand before it, in it, behind it and across its beginning. */
const window = {
  from: BigInt(Date.UTC(2003, 0)) * 1_000_000n,
  to: BigInt(Date.UTC(2022, 5, 13)) * 1_000_000n,
};
const patterns = [
  { sensor: 'b', pattern: /wiki__/ },
  { sensor: 'a', pattern: /\.gz$|\/[a-t]/ },
  { sensor: 'c', pattern: /./ },
];
const rules: [string, AssignmentRule][] = [
  ['lane', { by: 'lane' }],
  ['folder', { by: 'folder' }],
  ['size', { by: 'size' }],
  ['--assign', { by: 'pattern', patterns }],
  ['flow', { by: 'flow', tunnels: 'outer' }],
  ['flow within tunnels', { by: 'flow', tunnels: 'inner' }],
];

interface Fed {
  /** Due time and checksum of each frame. */
  sent: string[];
  conversations: Set<string>;
  read: number;
  elsewhere: number;
}

async function fed(plan: SensorPlan): Promise<Fed> {
  const sent: string[] = [];
  const conversations = new Set<string>();
  let origin = 0n;
  const { counts } = await feedPlan(plan, {
    source: disk,
    mtu: null,
    signal: new AbortController().signal,
    sink: {
      origin(next) {
        origin = next;
        return true;
      },
      frame(due, bytes, start, length) {
        const frame = bytes.subarray(start, start + length);
        sent.push(`${origin + BigInt(due)} ${crc32(frame)}`);
        const conversation = conversationOf(frame);
        if (conversation !== null) conversations.add(conversation);
        return true;
      },
      commit: () => undefined,
      end: () => undefined,
    },
  });
  return { sent, conversations, read: counts.read, elsewhere: counts.elsewhere };
}

describe('a set of real captures', () => {
  let set: DataSet;
  let whole: Fed;
  const planned = (sensors: readonly string[], rule: AssignmentRule): SensorPlan[] =>
    planReplay(set, { ...plainReplay, sensors, rule, edits, window }, 'real');

  before(async () => {
    if (typeof real === 'string') return;
    const maps: FileMap[] = [];
    for (const { path } of real) {
      const map = await mapFile(disk, await disk.stat(path));
      if (map.status !== 'failed' && map.linkTypes.every((type) => canGoOut(type, edits))) maps.push(map);
    }
    set = buildDataSet(maps);
    const [plan] = planned(['all'], { by: 'lane' });
    whole = await fed(plan!);
    assert.ok(whole.sent.length > 20_000 && whole.conversations.size > 300);
    const packets = set.files.reduce((sum, { map }) => sum + map.packets, 0);
    assert.ok(whole.read < packets, 'the window leaves something out');
  });

  for (const [name, rule] of rules) {
    test(`shared by ${name} goes out once, over all sensors`, { skip }, async () => {
      const shares: Fed[] = [];
      for (const plan of planned(SENSORS, rule)) shares.push(await fed(plan));
      assert.deepEqual(shares.flatMap(({ sent }) => sent).sort(), whole.sent.toSorted());
      assert.equal(
        shares.reduce((sum, { read }) => sum + read, 0),
        whole.read,
      );
      if (rule.by !== 'flow') return;
      for (const { read, elsewhere, sent } of shares) {
        assert.equal(read + elsewhere, whole.read);
        assert.ok(sent.length > whole.read / 10, 'each has a good part');
      }
      if (rule.tunnels === 'inner') return;
      const all = shares.flatMap(({ conversations }) => [...conversations]);
      assert.deepEqual([new Set(all).size, all.length], [whole.conversations.size, whole.conversations.size]);
    });
  }
});
