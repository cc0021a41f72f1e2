/** A made capture set keeps what its truth says, and its threads can be told from times alone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { threadOf, writeCaptureThreads } from '../../support/capture-threads.ts';
import { parseTruthTime, type Truth, type TruthFile } from '../../support/capture-truth.ts';
import { numberedFrame } from '../../support/frames.ts';
import { host } from '../../support/hosts.ts';
import { readPcap, type ReadPacket } from '../../support/pcap-reader.ts';
import { createPrng } from '../../support/prng.ts';
import { makeSyntheticSet, syntheticPackets } from '../../support/synthetic-set.ts';
import { tempDir } from '../../support/temp-dir.ts';
import type { TimedPacket } from '../../support/timed-packets.ts';

async function packetsOf(dir: string, { file }: TruthFile): Promise<ReadPacket[]> {
  const bytes = await readFile(join(dir, file));
  return readPcap(file.endsWith('.gz') ? gunzipSync(bytes) : bytes).packets;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Fewest non-overlapping sequences, going on where one ended latest. `touching` lets a file begin at that end. */
function inferLanes(files: readonly TruthFile[], touching: boolean): string[][] {
  const lanes: { end: bigint; files: string[] }[] = [];
  const sorted = files
    .map((file) => ({ name: file.file, begin: parseTruthTime(file.begin), end: parseTruthTime(file.end) }))
    .sort((x, y) => (x.begin < y.begin ? -1 : x.begin > y.begin ? 1 : x.name < y.name ? -1 : 1));
  for (const { name, begin, end } of sorted) {
    const free = lanes.filter((lane) => (touching ? lane.end <= begin : lane.end < begin));
    const latest = free.reduce(
      (best, lane) => (lane.end > best.end ? lane : best),
      free[0] ?? { end: -1n, files: [] },
    );
    if (free.length === 0) lanes.push({ end, files: [name] });
    else {
      latest.end = end;
      latest.files.push(name);
    }
  }
  return lanes.map((lane) => lane.files);
}

function assertLanesAreChains(truth: Truth, rules: readonly boolean[] = [false, true]): void {
  const chains = Object.values(truth.chains).map((chain) => chain.join(' '));
  for (const touching of rules) {
    const lanes = inferLanes(truth.files, touching).map((lane) => lane.join(' '));
    assert.deepEqual(lanes.sort(), chains.sort());
  }
}

describe('a synthetic set', () => {
  for (const resolution of ['us', 'ns'] as const) {
    test(`holds every packet once, in the thread of its flow, in order (${resolution})`, async (t) => {
      const dir = await tempDir(t);
      const options = { seed: 7, seconds: 4, packetsPerSecond: 1500, resolution };
      const truth = await makeSyntheticSet({ ...options, dir });
      assert.deepEqual(
        (await readdir(dir)).sort(),
        truth.files.map(({ file }) => file),
      );
      assert.equal(truth.files[0]?.file, 'cap-0001.pcap.gz');

      const expected: string[][] = [[], [], [], []];
      const line = ({ time, data }: { time: bigint; data: Uint8Array }): string => `${time} ${digest(data)}`;
      for (const packet of syntheticPackets(options)) expected[threadOf(packet.data, 4)]?.push(line(packet));

      for (const [worker, chain] of Object.entries(truth.chains)) {
        const found: string[] = [];
        for (const [seq, name] of chain.entries()) {
          const file = truth.files.find((each) => each.file === name) as TruthFile;
          const packets = await packetsOf(dir, file);
          assert.equal(file.worker, Number(worker));
          assert.equal(file.seq, seq);
          assert.equal(file.packets, packets.length);
          assert.equal(parseTruthTime(file.begin), packets[0]?.time);
          assert.equal(parseTruthTime(file.end), packets.at(-1)?.time);
          assert.equal(
            file.captured_bytes,
            packets.reduce((sum, { data }) => sum + data.length, 0),
          );
          const bytes = await readFile(join(dir, name));
          assert.equal(file.size, bytes.length);
          assert.equal(file.sha256, digest(bytes));
          assert.equal(file.raw_size, gunzipSync(bytes).length);
          assert.equal(file.raw_sha256, digest(gunzipSync(bytes)));
          found.push(...packets.map(line));
        }
        assert.deepEqual(found, expected[Number(worker)]);
      }
      assert.equal(truth.packets, 6000);
      assert.equal(
        truth.files.reduce((sum, file) => sum + file.packets, 0),
        6000,
      );
    });
  }

  test('has about the asked length, pauses, equal stamps and microsecond distances', () => {
    const packets = [...syntheticPackets({ seed: 3, seconds: 20, packetsPerSecond: 1000 })];
    const gaps = packets.slice(1).map((packet, i) => Number(packet.time - (packets[i] as TimedPacket).time));
    const seconds = gaps.reduce((sum, gap) => sum + gap, 0) / 1e9;
    const longest = Math.max(...gaps) / 1e9;
    assert.ok(gaps.every((gap) => gap >= 0));
    assert.ok(seconds > 16 && seconds < 24, `${seconds} s`);
    assert.ok(longest > 0.3 && longest < 2.2, `longest pause ${longest} s`);
    assert.ok(gaps.filter((gap) => gap === 0).length > packets.length / 20);
    assert.ok(gaps.filter((gap) => gap > 0 && gap < 20_000).length > packets.length / 10);
    assert.equal(Math.max(...packets.map(({ data }) => data.length)), 1514);
    const jumbo = [...syntheticPackets({ seed: 3, seconds: 2, packetsPerSecond: 1000, largestFrame: 9014 })];
    assert.equal(Math.max(...jumbo.map(({ data }) => data.length)), 9014);
  });

  test('is the same to the byte for one seed, and another for another', async (t) => {
    const digests = async (seed: number): Promise<string[]> => {
      const dir = await tempDir(t);
      const truth = await makeSyntheticSet({ seed, dir, seconds: 2, packetsPerSecond: 2000 });
      const first = await readFile(join(dir, 'cap-0001.pcap.gz'));
      assert.equal(first.readUInt32LE(4), 0, 'the gzip header must carry no time');
      return truth.files.map((file) => `${file.file} ${file.sha256}`);
    };
    const [one, again, other] = [await digests(1), await digests(1), await digests(2)];
    assert.deepEqual(one, again);
    assert.notDeepEqual(one, other);
  });
});

test('each thread has the wanted number of files', async (t) => {
  const dir = await tempDir(t);
  const filesPerThread = [2, 3, 5, 7];
  const truth = await makeSyntheticSet({ seed: 5, dir, seconds: 4, packetsPerSecond: 3000, filesPerThread });
  assert.deepEqual(
    Object.values(truth.chains).map((chain) => chain.length),
    filesPerThread,
  );
});

test('the threads of fifty sets are found from the times of their files alone', async (t) => {
  let rotations = 0;
  for (let seed = 0; seed < 50; seed++) {
    const dir = await tempDir(t);
    const threads = 2 + (seed % 5);
    const truth = await makeSyntheticSet({
      seed,
      dir,
      seconds: 2,
      packetsPerSecond: 1500,
      threads,
      filesPerThread: 2 + (seed % 6),
      resolution: seed % 2 === 0 ? 'us' : 'ns',
      gzip: false,
    });
    assert.equal(truth.workers, threads);
    assertLanesAreChains(truth);
    rotations += truth.files.length - threads;
  }
  assert.ok(rotations > 300, `only ${rotations} rotations`);
});

test('the threads are found also where stamps are coarse and threads fall silent', async (t) => {
  let files = 0;
  for (let seed = 0; seed < 50; seed++) {
    const dir = await tempDir(t);
    const packets = coarsePackets(seed);
    const truth = await writeCaptureThreads({
      packets,
      threads: 4,
      rotateBytes: [700, 900, 1300, 1500],
      dir,
      gzip: false,
    });
    assert.equal(truth.packets, packets.length);
    assertLanesAreChains(truth);
    files += truth.files.length;
  }
  assert.ok(files > 600, `only ${files} files`);
});

test('files that begin where the last one ended are made on demand, and told by the rule for them', async (t) => {
  let touches = 0;
  for (let seed = 0; seed < 50; seed++) {
    const dir = await tempDir(t);
    const size = { seconds: 1, packetsPerSecond: 2000, filesPerThread: 6, gzip: false };
    const truth = await makeSyntheticSet({ ...size, seed, dir, touching: true });
    assertLanesAreChains(truth, [true]);
    assert.equal(truth.packets, 2000);
    touches += truth.files.filter(({ worker, seq, begin }) =>
      truth.files.some((last) => last.worker === worker && last.seq === seq - 1 && last.end === begin),
    ).length;
  }
  assert.ok(touches > 50, `only ${touches} files touch`);
});

/** Many equal stamps; every conversation talks only within its own part of the time. */
function coarsePackets(seed: number): TimedPacket[] {
  const prng = createPrng(seed);
  const from = host('02:00:00:00:00:01', '10.0.0.1');
  const to = host('02:00:00:00:00:02', '10.0.0.2');
  const conversations = Array.from({ length: 24 }, (_, i) => ({
    conversation: { from, to, fromPort: 1000 + i + seed * 24, toPort: 9 },
    first: i < 12 ? 0 : prng.below(90),
    last: prng.between(120, 400),
  }));
  const packets: TimedPacket[] = [];
  for (let tick = 0; tick < 400; tick++) {
    for (let i = prng.below(4); i > 0; i--) {
      const { conversation, first, last } = prng.pick(conversations);
      if (tick < first || tick > last) continue;
      packets.push({ time: BigInt(tick) * 1000n, data: numberedFrame(conversation, 80, packets.length) });
    }
  }
  return packets;
}

describe('what cannot be a sound set is refused', () => {
  const conversation = {
    from: host('02:00:00:00:00:01', '10.0.0.1'),
    to: host('02:00:00:00:00:02', '10.0.0.2'),
    fromPort: 1,
    toPort: 2,
  };
  const at = (time: bigint, port = 1): TimedPacket => ({
    time,
    data: numberedFrame({ ...conversation, fromPort: port }, 60, 0),
  });
  const refused = async (
    t: Parameters<typeof tempDir>[0],
    packets: TimedPacket[],
    reason: RegExp,
  ): Promise<void> => {
    const dir = await tempDir(t);
    await assert.rejects(writeCaptureThreads({ packets, threads: 2, rotateBytes: [500, 500], dir }), reason);
  };

  test('stamps that run backwards', (t) => refused(t, [at(2000n), at(1000n)], /sorted by time/));
  test('a thread without packets', (t) => refused(t, [at(0n), at(1000n)], /only 1 of 2 threads got packets/));
  test('threads that are never open together', (t) => {
    const other = [2, 3, 4, 5, 6, 7].find(
      (port) => threadOf(at(0n, port).data, 2) !== threadOf(at(0n).data, 2),
    );
    return refused(t, [at(0n), at(1000n), at(1000n, other), at(2000n, other)], /at no moment/);
  });
});
