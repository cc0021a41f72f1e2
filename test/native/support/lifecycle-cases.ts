/**
 * The ways that a pacer's owner may end, run one after another by `node --expose-gc lifecycle-cases.ts <name>…`. Each says
 * when its pacer is sending, and how many milliseconds after that it was over, where its process outlives it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { PACER_STATE, type PacerHandle } from '../../../services/replayer/src/native/binding.ts';
import { createPacer, native } from './native.ts';
import { statsOf, waitFor } from './pacer-stats.ts';
import { ringWriter } from './ring-writer.ts';

/** When the last pacer was sending, as far as this thread has seen. */
let sendingSince: number;

/** A pacer in full flow for seconds, and waiting for a far-off frame after that. */
async function sending(): Promise<PacerHandle> {
  const handle = createPacer({ ringBytes: 1 << 23 });
  const writer = ringWriter(handle);
  const frame = new Uint8Array(60);
  for (let i = 0; i < 100_000; i++) writer.frame(frame, i * 50_000);
  writer.frame(frame, 2 ** 52);
  writer.commit();
  native.start(handle, native.monotonicNow());
  await waitFor(handle, (stats) => stats.sentPackets > 10n);
  sendingSince = performance.now();
  return handle;
}

/** Pacing threads of this process. */
function threads(): number {
  const names = readdirSync('/proc/self/task').map((id) =>
    readFileSync(`/proc/self/task/${id}/comm`, 'utf8'),
  );
  return names.filter((name) => name.trim() === 'capfleet-pacer').length;
}

function dropOne(): void {
  const handle = createPacer({ ringBytes: 1 << 24 });
  native.ring(handle);
  native.start(handle, native.monotonicNow());
}

async function until(wanted: () => boolean): Promise<void> {
  for (let i = 0; !wanted(); i++) {
    assert.ok(i < 300, 'not reached within 3 s');
    globalThis.gc!();
    await sleep(10);
  }
}

async function workerThatSends(then: 'stay' | 'end' | 'pause'): Promise<Worker> {
  const worker = new Worker(new URL(import.meta.url), { workerData: then });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  sendingSince = performance.now();
  return worker;
}

const CASES: Record<string, () => Promise<void>> = {
  'close-while-sending': async () => {
    const handle = await sending();
    assert.equal(threads(), 1);
    native.close(handle);
    assert.equal(threads(), 0);
  },
  'close-twice': async () => {
    const handle = await sending();
    native.close(handle);
    native.close(handle);
    native.stop(handle);
    native.end(handle);
    native.commit(handle, 0);
    assert.throws(() => native.start(handle, 0n), { code: 'EALREADY' });
    assert.ok(statsOf(handle).sentPackets > 10n);
    new Uint8Array(native.ring(handle)).fill(0xff);

    const idle = createPacer();
    native.close(idle);
    native.close(idle);
    native.start(idle, 0n);
    assert.equal(threads(), 0);
  },
  'exit-while-sending': async () => {
    await sending();
    console.log('sending');
    process.exit(0);
  },
  'fall-off-the-end': async () => {
    await sending();
    console.log('sending');
  },
  'uncaught-exception': async () => {
    await sending();
    console.log('sending');
    throw new Error('on purpose');
  },
  'worker-terminated': async () => {
    const worker = await workerThatSends('stay');
    assert.equal(threads(), 1);
    await worker.terminate();
    assert.equal(threads(), 0);
  },
  'worker-ends': async () => {
    const worker = await workerThatSends('end');
    await new Promise((resolve) => worker.once('exit', resolve));
    assert.equal(threads(), 0);
  },
  'two-workers': async () => {
    const workers = await Promise.all([workerThatSends('stay'), workerThatSends('stay')]);
    const own = await sending();
    assert.equal(threads(), 3);
    await workers[0].terminate();
    assert.equal(threads(), 2);
    native.close(own);
    await workers[1].terminate();
    assert.equal(threads(), 0);
  },
  collected: async () => {
    await sending();
    await until(() => threads() === 0);
  },
  'ring-outlives-handle': async () => {
    const memory = native.ring(await sending());
    await until(() => threads() === 0);
    const bytes = new Uint8Array(memory);
    bytes.fill(0x5a);
    assert.equal(bytes[bytes.length - 1], 0x5a);
  },
  'close-while-paused': async () => {
    const handle = await sending();
    native.pause(handle);
    native.close(handle);
    assert.equal(threads(), 0);
    const { pauses, pausedNs } = statsOf(handle);
    assert.deepEqual([pauses, pausedNs], [0n, 0n]);
    native.resume(handle);
    native.pause(handle);
    native.resume(handle);
  },
  'exit-while-paused': async () => {
    native.pause(await sending());
    console.log('sending');
    process.exit(0);
  },
  'stop-races-pause': async () => {
    for (let i = 0; i < 9; i++) {
      const handle = await sending();
      native.pause(handle);
      if (i % 3 === 0) native.resume(handle);
      native.stop(handle);
      if (i % 3 === 1) native.resume(handle);
      await waitFor(handle, ({ state }) => state === BigInt(PACER_STATE.stopped), 500);
      native.close(handle);
    }
    assert.equal(threads(), 0);
  },
  'worker-terminated-while-paused': async () => {
    const worker = await workerThatSends('pause');
    await worker.terminate();
    assert.equal(threads(), 0);
  },
  'close-with-all-options': async () => {
    const handle = createPacer({
      ringBytes: 1 << 20,
      spin: 'max',
      realtime: true,
      cpu: 0,
      lockMemory: true,
      txStamps: 'all',
    });
    ringWriter(handle).frame(new Uint8Array(60), 0);
    native.start(handle, native.monotonicNow());
    native.close(handle);
    assert.equal(threads(), 0);
    assert.ok([0n, BigInt(1 << 20)].includes(statsOf(handle).lockedBytes));
  },
  'many-dropped': async () => {
    for (let i = 0; i < 200; i++) dropOne();
    sendingSince = performance.now();
    await until(() => threads() === 0);
  },
};

if (isMainThread) {
  for (const name of process.argv.slice(2)) {
    sendingSince = performance.now();
    await CASES[name]!();
    console.log(`${name}: ${Math.round(performance.now() - sendingSince)} ms`);
  }
} else {
  const handle = await sending();
  if (workerData === 'pause') native.pause(handle);
  parentPort!.postMessage('sending');
  if (workerData !== 'end') setInterval(() => statsOf(handle), 1000);
}
