// The times that tcpreplay's documentation gives for its own test capture, 179 packets in 3.256749 s: 3.2567 s as it
// was, 0.1303 s at 25 times the speed, 7.12 s at 25 packets per second. Held to the nanosecond on a made capture of
// that length, and on the real one where CAPFLEET_TCPREPLAY_CAPTURE says where it lies; it is no part of this project.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { mapCaptures } from '@capfleet/cli/verify-replay';
import { feed } from '@capfleet/replayer/feed';
import { emptyFeedCounts } from '@capfleet/replayer/feed-counts';
import { mergeFileOf, type FileError } from '@capfleet/replayer/merge-file';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { plainReplay, planReplay, type ReplayRequest } from '@capfleet/shared/dataset/replay-plan';
import { disk } from '@capfleet/shared/source/disk';
import { numberedFrame } from '../../support/frames.ts';
import { numberedConversation } from '../../support/numbered-set.ts';
import { pcapFile } from '../../support/pcap-writer.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PACKETS = 179;
const MICROSECONDS = 3_256_749;
const real = process.env['CAPFLEET_TCPREPLAY_CAPTURE'];

/** Uneven gaps, a burst of one instant among them. */
async function makeCapture(t: TestContext): Promise<string> {
  const path = join(await tempDir(t), 'made.pcap');
  const records = Array.from({ length: PACKETS }, (_, number) => {
    const place = number > 60 && number < 70 ? 60 : number;
    const at = Math.floor(MICROSECONDS * (place / (PACKETS - 1)) ** 1.7);
    return {
      seconds: 1_246_382_400 + Math.floor(at / 1e6),
      fraction: at % 1e6,
      data: numberedFrame(numberedConversation, 60 + ((number * 97) % 1400), number),
    };
  });
  await writeFile(path, pcapFile({}, records));
  return path;
}

/** Packets sent, and when the last one is due. */
async function played(path: string, how: Partial<ReplayRequest>): Promise<{ packets: number; last: bigint }> {
  const set = buildDataSet(await mapCaptures([path], disk));
  const [plan] = planReplay(set, { ...plainReplay, sensors: ['one'], rule: { by: 'lane' }, ...how }, path);
  assert.ok(plan);
  const pacer = recordingPacer({ ringBytes: 1 << 20 });
  const errors: FileError[] = [];
  await feed({
    timeline: plan.timeline,
    policies: plan.policies,
    mtu: null,
    files: () => plan.files.map((file) => mergeFileOf(file, disk, 0, errors)),
    sink: new RingWriter(pacer),
    counts: emptyFeedCounts(),
    onPrefilled: () => {
      pacer.start(0n);
    },
    stopped: () => false,
  });
  assert.deepEqual(errors, []);
  return { packets: pacer.frames.length, last: pacer.frames.at(-1)?.due ?? -1n };
}

const ways: readonly [name: string, how: Partial<ReplayRequest>, last: bigint, seconds: string][] = [
  ['as it was', {}, 3_256_749_000n, '3.2567'],
  ['at 25 times the speed', { speed: { numerator: 25, denominator: 1 } }, 130_269_960n, '0.1303'],
  ['at 25 packets per second', { pace: { kind: 'packets', perSecond: '25/1' } }, 7_120_000_000n, '7.1200'],
];

describe("tcpreplay's own figures", () => {
  for (const [name, how, last, seconds] of ways) {
    test(`179 packets in 3.256749 s take ${seconds} s ${name}`, async (t) => {
      assert.deepEqual(await played(await makeCapture(t), how), { packets: PACKETS, last });
      assert.equal((Number(last) / 1e9).toFixed(4), seconds);
    });

    const skip =
      real === undefined && 'CAPFLEET_TCPREPLAY_CAPTURE does not say where test.pcap of tcpreplay lies';
    test(`so does its own test capture ${name}`, { skip }, async () => {
      assert.deepEqual(await played(real ?? '', how), { packets: PACKETS, last });
    });
  }
});
