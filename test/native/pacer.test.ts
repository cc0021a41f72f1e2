/** What the pacing thread does with records, seen through the null link. Bounds on real time are loose. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import {
  HISTOGRAM_BUCKETS,
  PACER_STATE,
  type PacerHandle,
} from '../../services/replayer/src/native/binding.ts';
import { hasCapability } from '../support/capabilities.ts';
import { waitFor as waitUntil } from '../support/wait-for.ts';
import { createPacer, native } from './support/native.ts';
import { statsOf, waitFor, waitForState, type PacerStats } from './support/pacer-stats.ts';
import { ringWriter, type RingWriter } from './support/ring-writer.ts';

const MS = 1_000_000;
const FRAME = new Uint8Array(60).fill(0xa5);

function setUp(options: Parameters<typeof createPacer>[0] = {}): { handle: PacerHandle; writer: RingWriter } {
  const handle = createPacer(options);
  return { handle, writer: ringWriter(handle) };
}

function inMs(ms: number): bigint {
  return native.monotonicNow() + BigInt(ms * MS);
}

function assertAddsUp(stats: PacerStats): void {
  assert.equal(
    stats.consumedPackets,
    stats.sentPackets +
      stats.refusedOversize +
      stats.refusedNoBuffers +
      stats.refusedLinkDown +
      stats.refusedOther +
      stats.lateDropped,
  );
}

test('every frame is sent and counted, none before it is due', async () => {
  const { handle, writer } = setUp();
  for (let i = 0; i < 500; i++) assert.ok(writer.frame(FRAME, i * 100_000));
  writer.commit();
  native.end(handle);
  const t0 = inMs(5);
  native.start(handle, t0);
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.sentPackets, 500n);
  assert.equal(stats.sentBytes, 30_000n);
  assert.equal(stats.firstDue, t0);
  assert.equal(stats.lastDue, t0 + 499n * 100_000n);
  assert.ok(stats.firstSent >= stats.firstDue && stats.lastSent >= stats.lastDue);
  assert.ok(stats.latenessMin >= 0n && stats.latenessMin <= stats.latenessMax);
  assert.ok(stats.latenessSum >= stats.latenessMax && stats.latenessSum <= stats.latenessMax * 500n);
  assert.ok(stats.cpuNs > 0n);
  assertAddsUp(stats);
});

test('the histogram holds every frame sent, between the exact extremes', async () => {
  const { handle, writer } = setUp();
  for (let i = 0; i < 100; i++) writer.frame(FRAME, i * 10_000);
  writer.commit();
  native.end(handle);
  native.start(handle, inMs(1));
  const stats = await waitForState(handle, 'done');
  const counts = new BigInt64Array(HISTOGRAM_BUCKETS);
  assert.equal(native.histogram(handle, counts), 100);
  const used = [...counts.keys()].filter((bucket) => counts[bucket] !== 0n);
  assert.ok(native.histogramUpperBound(used[0]!) >= Number(stats.latenessMin));
  assert.ok(native.histogramUpperBound(used.at(-1)!) >= Number(stats.latenessMax));
});

test('nothing is sent before start', async () => {
  const { handle, writer } = setUp();
  writer.frame(FRAME, 0);
  writer.commit();
  await sleep(20);
  assert.equal(statsOf(handle).state, BigInt(PACER_STATE.idle));
  assert.equal(statsOf(handle).consumedPackets, 0n);
  native.close(handle);
});

test('frames of one instant leave as one batch, at most maxBatch long', async () => {
  for (const [maxBatch, batches] of [
    [64, 1n],
    [4, 3n],
    [1, 10n],
  ] as const) {
    const { handle, writer } = setUp({ maxBatch });
    for (let i = 0; i < 10; i++) writer.frame(FRAME, 5 * MS);
    writer.commit();
    native.end(handle);
    native.start(handle, native.monotonicNow());
    const stats = await waitForState(handle, 'done');
    assert.deepEqual([stats.sentPackets, stats.batches], [10n, batches]);
  }
});

test('an earlier due time than the one before is due at once', async () => {
  const { handle, writer } = setUp();
  for (const due of [5 * MS, 0, -3 * MS, 6 * MS]) writer.frame(FRAME, due);
  writer.commit();
  native.end(handle);
  native.start(handle, native.monotonicNow());
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.sentPackets, 4n);
  assert.ok(stats.latenessMax >= BigInt(8 * MS));
});

test('due times count from the latest origin, beyond 2^53 ns too', async () => {
  const { handle, writer } = setUp();
  const far = 2n ** 53n + 1n;
  const t0 = inMs(2) - far;
  writer.origin(far - 7n);
  writer.frame(FRAME, 7);
  writer.origin(far + 2n);
  writer.frame(FRAME, 1 * MS);
  writer.commit();
  native.end(handle);
  native.start(handle, t0);
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.firstDue, t0 + far);
  assert.equal(stats.lastDue, t0 + far + 2n + BigInt(MS));
  assert.equal(stats.consumedPackets, 2n);
  assert.ok(stats.latenessMin >= 0n);
});

test('all spin modes send everything and none early', async () => {
  for (const spin of ['none', 'auto', 'max'] as const) {
    const { handle, writer } = setUp({ spin });
    for (let i = 0; i < 20; i++) writer.frame(FRAME, i * MS);
    writer.commit();
    native.end(handle);
    native.start(handle, inMs(2));
    const stats = await waitForState(handle, 'done');
    assert.equal(stats.sentPackets, 20n, spin);
    assert.ok(stats.latenessMin >= 0n, spin);
    assert.equal(stats.marginNs === 0n, spin === 'none', spin);
  }
});

test('a frame later than lateDropNs is counted instead of sent', async () => {
  const { handle, writer } = setUp({ lateDropNs: 500 * MS });
  for (let i = 0; i < 100; i++) writer.frame(FRAME, i);
  for (let i = 0; i < 50; i++) writer.frame(FRAME, 1020 * MS);
  writer.commit();
  native.end(handle);
  native.start(handle, inMs(-1000));
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.lateDropped, stats.sentPackets, stats.consumedPackets], [100n, 50n, 150n]);
  assert.equal(writer.head(), native.commit(handle, writer.head()));
});

test('a late frame is sent and its lateness counted if lateDropNs is 0', async () => {
  const { handle, writer } = setUp();
  writer.frame(FRAME, 0);
  writer.commit();
  native.end(handle);
  native.start(handle, inMs(-1000));
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.sentPackets, 1n);
  assert.ok(stats.latenessMin >= BigInt(1000 * MS));
});

test('a pause takes a waiting thread out of its wait, and moves every due time behind it by the same', async () => {
  const { handle, writer } = setUp();
  for (const due of [0, 300, 301, 302]) writer.frame(FRAME, due * MS);
  writer.commit();
  native.end(handle);
  const t0 = native.monotonicNow();
  native.start(handle, t0);
  await waitFor(handle, ({ sentPackets }) => sentPackets === 1n);
  native.pause(handle);
  await sleep(50);
  native.resume(handle);
  native.pause(handle);
  await sleep(400);
  assert.equal(statsOf(handle).sentPackets, 1n);
  native.resume(handle);
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.pauses, 2n);
  assert.equal(stats.lastDue, t0 + BigInt(302 * MS) + stats.pausedNs);
  // 50 and 400 ms, of which timers may take off one each; 20 ms behind the last resume. What is held again within 20 ms
  // of a resume does not count twice.
  assert.ok(stats.pausedNs >= BigInt(468 * MS));
  assert.ok(stats.latenessMin >= 0n);
});

test('due times head for a shift, evenly, and frames go out no sooner', async () => {
  const { handle, writer } = setUp();
  for (const due of [0, 1000, 2000]) writer.frame(FRAME, due * MS);
  writer.commit();
  native.end(handle);
  const t0 = native.monotonicNow();
  native.start(handle, t0);
  native.steer(handle, t0 + BigInt(500 * MS), t0 + BigInt(1500 * MS), 500_000n);
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.sentPackets, stats.firstDue], [3n, t0]);
  // By 0.5 ms a second from the middle of the first second on.
  assert.equal(stats.lastDue, t0 + BigInt(2000 * MS) + 750_000n);
  assert.ok(stats.latenessMin >= 0n);
});

test('nothing is sent without a lease, and what was due meanwhile is dropped', async () => {
  const { handle, writer } = setUp();
  for (const due of [0, 500, 510, 520, 60_000]) writer.frame(FRAME, due * MS);
  writer.commit();
  const t0 = native.monotonicNow();
  native.lease(handle, t0 + BigInt(400 * MS));
  native.start(handle, t0);
  await waitFor(handle, ({ lapses }) => lapses === 1n);
  await waitUntil('the second frame to be overdue', () => native.monotonicNow() > t0 + BigInt(600 * MS));
  assert.equal(statsOf(handle).consumedPackets, statsOf(handle).sentPackets);
  native.lease(handle, t0 + BigInt(120_000 * MS));
  const stats = await waitFor(handle, ({ consumedPackets }) => consumedPackets === 4n);
  assert.ok(stats.lateDropped >= 3n && stats.lapses === 1n);
  assertAddsUp(stats);
  native.stop(handle);
  await waitForState(handle, 'stopped');
});

test('what is due at once is sent all the same after a time without a lease', async () => {
  const { handle, writer } = setUp();
  native.lease(handle, native.monotonicNow());
  native.start(handle, native.monotonicNow() - BigInt(5000 * MS));
  await waitFor(handle, ({ lapses }) => lapses === 1n);
  for (let i = 0; i < 100; i++) writer.frame(FRAME, 0);
  writer.commit();
  native.end(handle);
  native.lease(handle, native.monotonicNow() + BigInt(60_000 * MS));
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.sentPackets, stats.lateDropped], [100n, 0n]);
});

test('the thread stays on its processor, and its memory is locked where that is allowed', async () => {
  const { handle, writer } = setUp({ cpu: 0, lockMemory: true });
  writer.frame(FRAME, 500 * MS);
  writer.commit();
  native.start(handle, native.monotonicNow());
  const allowed = await waitUntil('the thread has its name', () => {
    for (const id of readdirSync('/proc/self/task')) {
      const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8');
      if (/^Name:\s+capfleet-pacer$/m.test(status)) return /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1];
    }
    return undefined;
  });
  assert.equal(allowed, '0');
  const { lockedBytes } = statsOf(handle);
  native.close(handle);
  assert.ok(lockedBytes === BigInt(1 << 16) || lockedBytes === 0n);
  if (hasCapability('CAP_IPC_LOCK')) assert.equal(lockedBytes, BigInt(1 << 16));
});

test('whether the real-time class is allowed is told without a change of the asking thread', () => {
  const policy = (): string | undefined => readFileSync('/proc/thread-self/stat', 'utf8').split(' ')[40];
  const before = policy();
  assert.equal(typeof native.realtimeAllowed(), 'boolean');
  assert.equal(policy(), before);
});

test(
  'a real-time thread that finds no time to sleep leaves the class for a while, and sends on',
  { skip: !native.realtimeAllowed() && 'a thread may not be real-time here' },
  async () => {
    const { handle, writer } = setUp({ realtime: true, spin: 'max', ringBytes: 1 << 23 });
    for (let i = 0; i < 60_000; i++) assert.ok(writer.frame(FRAME, i * 20_000));
    writer.commit();
    native.end(handle);
    native.start(handle, native.monotonicNow());
    await waitFor(handle, ({ realtime }) => realtime === 1n);
    const stats = await waitForState(handle, 'done');
    assert.equal(stats.sentPackets, 60_000n);
    assert.ok(stats.yielded >= 1n, `${stats.yielded}`);
  },
);

test('stop ends a far-off wait soon, and the wait cost next to no CPU', async () => {
  const { handle, writer } = setUp({ spin: 'max' });
  writer.frame(FRAME, 3600 * 1000 * MS);
  writer.commit();
  native.start(handle, native.monotonicNow());
  await sleep(300);
  assert.equal(statsOf(handle).state, BigInt(PACER_STATE.running));
  native.stop(handle);
  native.stop(handle);
  const stats = await waitForState(handle, 'stopped', 250);
  assert.equal(stats.consumedPackets, 0n);
  assert.ok(stats.cpuNs < BigInt(100 * MS), `${stats.cpuNs}`);
});

test('stop is final, also before start', async () => {
  const { handle, writer } = setUp();
  writer.frame(FRAME, 0);
  writer.commit();
  native.stop(handle);
  assert.equal(statsOf(handle).state, BigInt(PACER_STATE.stopped));
  native.start(handle, native.monotonicNow());
  await sleep(20);
  assert.equal(statsOf(handle).state, BigInt(PACER_STATE.stopped));
  assert.equal(statsOf(handle).consumedPackets, 0n);
});

test('counts add up after a stop in full flow', async () => {
  const { handle, writer } = setUp({ ringBytes: 1 << 20 });
  let fed = 0n;
  while (writer.frame(FRAME, Number(fed) * 1000)) fed++;
  writer.commit();
  native.start(handle, native.monotonicNow());
  await waitFor(handle, (stats) => stats.sentPackets > 100n);
  native.stop(handle);
  const stats = await waitForState(handle, 'stopped', 250);
  assert.ok(stats.consumedPackets > 100n && stats.consumedPackets <= fed);
  assertAddsUp(stats);
  native.close(handle);
  assert.deepEqual(statsOf(handle), stats);
});

test('an end with nothing is done at once', async () => {
  const { handle } = setUp();
  native.end(handle);
  native.start(handle, native.monotonicNow());
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.consumedPackets, stats.starvedCount, stats.firstDue], [0n, 0n, 0n]);
});

test('a stop after the end does not unmake done', async () => {
  const { handle } = setUp();
  native.end(handle);
  native.start(handle, native.monotonicNow());
  await waitForState(handle, 'done');
  native.stop(handle);
  native.close(handle);
  assert.equal(statsOf(handle).state, BigInt(PACER_STATE.done));
});

test('an empty ring is waited for cheaply, and frames that come too late for it are told apart', async () => {
  const { handle, writer } = setUp();
  const t0 = native.monotonicNow();
  native.start(handle, t0);
  await sleep(200);
  const starving = statsOf(handle);
  assert.equal(starving.starvedCount, 1n);
  assert.ok(starving.cpuNs < BigInt(100 * MS), `${starving.cpuNs}`);
  for (let i = 0; i < 10; i++) writer.frame(FRAME, i);
  const ahead = Number(native.monotonicNow() - t0) + 200 * MS;
  for (let i = 0; i < 5; i++) writer.frame(FRAME, ahead);
  writer.commit();
  native.end(handle);
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.starvedCount, stats.starvedPackets, stats.sentPackets], [1n, 10n, 15n]);
});

test('commits may come one by one while the thread runs', async () => {
  const { handle, writer } = setUp();
  native.start(handle, native.monotonicNow());
  for (let i = 0; i < 2000; i++) await writer.feed([{ bytes: FRAME, due: 0 }]);
  native.end(handle);
  const stats = await waitForState(handle, 'done');
  assert.equal(stats.sentPackets, 2000n);
  assert.equal(native.commit(handle, writer.head()), writer.head());
});

test('a filler committed alone is consumed, so that a record as large as the ring has room after it', async () => {
  const { handle, writer } = setUp();
  const capacity = 1 << 16;
  writer.frame(FRAME, 0);
  writer.commit();
  native.start(handle, native.monotonicNow());
  const view = new DataView(native.ring(handle));
  putHeader(view, writer.head(), 0, 1, 0);
  while (native.commit(handle, capacity) < capacity) await sleep(1);
  putHeader(view, 0, capacity - 16, 0, 0);
  native.commit(handle, 2 * capacity);
  native.end(handle);
  const stats = await waitForState(handle, 'done');
  assert.deepEqual([stats.sentPackets, stats.sentBytes], [2n, BigInt(60 + capacity - 16)]);
});

const MALFORMED: Record<string, (view: DataView, header: typeof putHeader) => number> = {
  'a length beyond the ring': (view, header) => header(view, 0, 1 << 17, 0, 0) + 32,
  'the greatest length': (view, header) => header(view, 0, 0xffff_ffff, 0, 0) + 32,
  'a length beyond what is committed': (view, header) => header(view, 0, 64, 0, 0) + 16,
  'half a header': (view, header) => header(view, 0, 0, 0, 0) - 8,
  'an unknown kind': (view, header) => header(view, 0, 8, 3, 0) + 8,
  'an origin of another size': (view, header) => header(view, 0, 4, 2, 0) + 8,
  'a filler beyond what is committed': (view, header) => header(view, 0, 0, 1, 0),
  'a due time that is not a number': (view, header) => header(view, 0, 0, 0, NaN),
  'an infinite due time': (view, header) => header(view, 0, 0, 0, -Infinity),
  'a due time of another century': (view, header) => header(view, 0, 0, 0, 2 ** 63),
  'a head beyond the ring': (view, header) => header(view, 0, 0, 0, 0) + view.byteLength,
  'a negative head': () => -16,
};

function putHeader(view: DataView, at: number, length: number, kind: number, due: number): number {
  new Uint32Array(view.buffer, at, 2).set([length, kind]);
  new Float64Array(view.buffer, at + 8, 1)[0] = due;
  return at + 16;
}

for (const [name, write] of Object.entries(MALFORMED)) {
  test(`a malformed record fails the pacer: ${name}`, async () => {
    const handle = createPacer();
    native.commit(handle, write(new DataView(native.ring(handle)), putHeader));
    native.start(handle, native.monotonicNow());
    const stats = await waitForState(handle, 'failed');
    assert.equal(stats.failureErrno, 74n);
    assert.equal(stats.consumedPackets, 0n);
  });
}

test('frames before a malformed record are sent', async () => {
  const { handle, writer } = setUp();
  writer.frame(FRAME, 0);
  const head = putHeader(new DataView(native.ring(handle)), writer.head(), 0, 99, 0);
  native.commit(handle, head);
  native.start(handle, native.monotonicNow());
  const stats = await waitForState(handle, 'failed');
  assert.equal(stats.sentPackets, 1n);
});

test('an origin that overflows fails the pacer', async () => {
  const { handle, writer } = setUp();
  writer.origin(2n ** 63n - 1n);
  writer.commit();
  native.start(handle, native.monotonicNow());
  assert.equal((await waitForState(handle, 'failed')).failureErrno, 74n);
});
