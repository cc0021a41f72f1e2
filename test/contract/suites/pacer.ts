/** What every pacer promises to who feeds it. Bounds on real time are loose. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import type { Pacer, PacerCounts } from '@capfleet/replayer/ports/pacer';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { patterned } from '../../support/patterned.ts';
import { waitFor } from '../../support/wait-for.ts';

export interface PacerCase {
  name: string;
  open: (t: TestContext) => Promise<Pacer>;
  /** CLOCK_MONOTONIC, or whatever the pacer goes by. */
  now: () => bigint;
  /** The frames sent, where the link keeps them; asked for after the pacer was closed. */
  frames?: () => Promise<readonly Buffer[]>;
}

const MS = 1_000_000;

async function reached(pacer: Pacer, state: PacerCounts['state']): Promise<PacerCounts> {
  return waitFor(`the pacer is ${state}`, () => pacer.counts().state === state && pacer.counts());
}

export function pacerContract({ name, open, now, frames }: PacerCase): void {
  describe(`a pacer (${name})`, () => {
    test('has a ring that lies in whole 8-byte places, and begins idle with nothing counted', async (t) => {
      const pacer = await open(t);
      assert.equal(pacer.memory.byteLength % 8, 0);
      assert.ok(pacer.memory.byteLength >= 64 * 1024);
      const { state, sent, sentBytes, refused, first, last, starved, failure } = pacer.counts();
      assert.deepEqual(
        [state, sent, sentBytes, first, last, starved, failure],
        ['idle', 0, 0, null, null, 0, 0],
      );
      assert.deepEqual(refused, { oversize: 0, 'no-buffers': 0, 'link-down': 0, late: 0, other: 0 });
      assert.equal(pacer.latenessQuantiles([0.5, 1]), null);
      assert.deepEqual(pacer.latenessSpread([1, 2]), { count: 0, upTo: [0, 0], sum: 0 });
      assert.equal(pacer.departureQuantiles([0.5, 1]), null);
      pacer.close();
    });

    test('sends nothing before it is started', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      ring.frame(0, patterned(60, 1), 0, 60);
      ring.commit();
      await sleep(20);
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['idle', 0]);
      pacer.close();
    });

    test('sends all that was committed, in order, none before it is due, and is done at the end', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      const sent = Array.from({ length: 50 }, (_, i) => patterned((i * 37) % 1500, i));
      for (const [i, frame] of sent.entries()) assert.ok(ring.frame((i * MS) / 5, frame, 0, frame.length));
      ring.commit();
      const t0 = now() + BigInt(5 * MS);
      pacer.start(t0);
      pacer.end();
      const counts = await reached(pacer, 'done');
      assert.equal(counts.sent, 50);
      assert.equal(
        counts.sentBytes,
        sent.reduce((sum, { length }) => sum + length, 0),
      );
      assert.deepEqual([counts.first?.due, counts.last?.due], [t0, t0 + BigInt((49 * MS) / 5)]);
      assert.ok(counts.first!.sent >= counts.first!.due && counts.last!.sent >= counts.last!.due);
      const lateness = pacer.latenessQuantiles([0, 0.5, 1]);
      assert.equal(lateness?.length, 3);
      assert.ok(lateness.every((value, i) => value >= 0n && (i === 0 || value >= lateness[i - 1]!)));
      const { count, upTo, sum } = pacer.latenessSpread([1, 1e5, 1e12]);
      assert.deepEqual([count, upTo.length, upTo[2]], [50, 3, 50]);
      assert.ok(upTo.every((value, i) => i === 0 || value >= upTo[i - 1]!));
      assert.ok(sum >= Number(lateness[2]));
      pacer.close();
      if (frames) assert.deepEqual(await frames(), sent);
    });

    test('adds the origin to the due times behind it', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      ring.frame(3, patterned(20, 0), 0, 20);
      ring.origin(BigInt(10 * MS));
      ring.frame(4, patterned(20, 1), 0, 20);
      ring.commit();
      pacer.end();
      const t0 = now();
      pacer.start(t0);
      const counts = await reached(pacer, 'done');
      assert.deepEqual([counts.first?.due, counts.last?.due], [t0 + 3n, t0 + BigInt(10 * MS) + 4n]);
      pacer.close();
    });

    test('makes room for what comes after, over more than a lap of its ring', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      const length = Math.floor(pacer.memory.byteLength / 9);
      pacer.start(now());
      for (let i = 0; i < 30; i += 1) {
        const frame = patterned(length > 200_000 ? 200_000 : length, i);
        const times = length > 200_000 ? 6 : 1;
        for (let j = 0; j < times; j += 1) {
          await waitFor(
            'room',
            () => {
              if (ring.frame(0, frame, 0, frame.length)) return true;
              ring.commit();
              return false;
            },
            { every: 1 },
          );
        }
      }
      ring.commit();
      pacer.end();
      const counts = await reached(pacer, 'done');
      assert.equal(counts.sent, length > 200_000 ? 180 : 30);
      assert.ok(counts.sentBytes > pacer.memory.byteLength);
      pacer.close();
    });

    test('is done at once where there is nothing', async (t) => {
      const pacer = await open(t);
      pacer.end();
      pacer.start(now());
      const { sent, first } = await reached(pacer, 'done');
      assert.deepEqual([sent, first], [0, null]);
      pacer.close();
    });

    test('that is stopped sends nothing more, soon, for good', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      pacer.start(now());
      const frame = patterned(60, 1);
      ring.frame(0, frame, 0, 60);
      ring.commit();
      await waitFor('the first frame', () => pacer.counts().sent > 0);
      pacer.stop();
      pacer.stop();
      const { sent } = await reached(pacer, 'stopped');
      ring.frame(0, frame, 0, 60);
      ring.commit();
      pacer.end();
      await sleep(20);
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['stopped', sent]);
      pacer.close();
    });

    test('that is paused sends nothing more, and goes on later by exactly the time it stood still', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      const frame = patterned(60, 1);
      const t0 = now();
      pacer.start(t0);
      ring.frame(0, frame, 0, 60);
      ring.commit();
      await waitFor('the first frame', () => pacer.counts().sent > 0);
      pacer.pause();
      pacer.pause();
      assert.deepEqual(pacer.counts().pauses, { count: 0, total: 0n });
      ring.frame(60 * MS, frame, 0, 60);
      ring.origin(BigInt(70 * MS));
      ring.frame(0, frame, 0, 60);
      ring.commit();
      pacer.end();
      await sleep(100);
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['running', 1]);
      pacer.resume();
      pacer.resume();
      const { first, last, sent, pauses } = await reached(pacer, 'done');
      assert.deepEqual([sent, pauses.count], [3, 1]);
      assert.ok(pauses.total >= BigInt(20 * MS));
      assert.deepEqual([first?.due, last?.due], [t0, t0 + BigInt(70 * MS) + pauses.total]);
      assert.ok(last!.sent >= last!.due);
      pacer.close();
    });

    test('that is stopped while it is paused is stopped', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      pacer.start(now());
      pacer.pause();
      ring.frame(5 * MS, patterned(60, 1), 0, 60);
      ring.commit();
      pacer.stop();
      await reached(pacer, 'stopped');
      pacer.resume();
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['stopped', 0]);
      pacer.close();
    });

    test('stays stopped when it is started after that', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      ring.frame(0, patterned(60, 1), 0, 60);
      ring.commit();
      pacer.stop();
      pacer.start(now());
      pacer.end();
      await sleep(20);
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['stopped', 0]);
      pacer.close();
    });

    test('stays done when it is stopped after that, and keeps its counts when it is closed', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      ring.frame(0, patterned(60, 1), 0, 60);
      ring.commit();
      pacer.end();
      pacer.start(now());
      await reached(pacer, 'done');
      pacer.stop();
      pacer.close();
      pacer.close();
      assert.deepEqual([pacer.counts().state, pacer.counts().sent], ['done', 1]);
    });

    test('fails on a record that breaks the layout, and sends what came before it', async (t) => {
      const pacer = await open(t);
      const ring = new RingWriter(pacer);
      ring.frame(0, patterned(8, 1), 0, 8);
      ring.commit();
      new Uint32Array(pacer.memory, 24, 2).set([8, 99]);
      pacer.commit(48);
      pacer.start(now());
      const { sent, failure } = await reached(pacer, 'failed');
      assert.equal(sent, 1);
      assert.equal(failure, 74);
      pacer.close();
    });
  });
}
