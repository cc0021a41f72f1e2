/** What every link promises to who sends through it, whichever pacer it belongs to. Bounds on real time are loose. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Pacer, PacerCounts } from '@capfleet/replayer/ports/pacer';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { Failure } from '@capfleet/shared/errors/failure';
import { arrived, experimentalFrame, FAR, NEAR, type NearAndFar } from '../../support/near-and-far.ts';
import { waitFor } from '../../support/wait-for.ts';

export interface LinkCase {
  name: string;
  skip?: string | false;
  open: (t: TestContext) => Promise<Pacer>;
  /** Called before anything is sent; what it gives, after the pacer was closed. Absent where frames are not kept. */
  listen?: () => Promise<() => Promise<readonly Buffer[]>>;
  /** Bytes of the largest frame without a tag; null: any. */
  largest: number | null;
  /** Whose near end it sends into; null: no interface. */
  pair: NearAndFar | null;
  /** Frames are refused while there is no carrier; libpcap's way through a queue hides their loss. */
  knowsCarrier?: boolean;
}

const MS = 1_000_000;
const WITHIN = { timeout: 15_000, every: 2 };

const now = (): bigint => process.hrtime.bigint();

function refusedOf({ refused }: PacerCounts): number {
  return Object.values(refused).reduce((sum, count) => sum + count, 0);
}

async function reached(pacer: Pacer, state: PacerCounts['state']): Promise<PacerCounts> {
  return waitFor(`the pacer is ${state}`, () => pacer.counts().state === state && pacer.counts(), WITHIN);
}

function put(pacer: Pacer, frames: readonly Buffer[], gap: number): void {
  const ring = new RingWriter(pacer);
  for (const [i, frame] of frames.entries()) assert.ok(ring.frame(i * gap, frame, 0, frame.length));
  ring.commit();
}

/** Sends all from an instant on, and closes. */
async function sendAll(pacer: Pacer, frames: readonly Buffer[], gap = 0, t0 = now()): Promise<PacerCounts> {
  put(pacer, frames, gap);
  pacer.end();
  pacer.start(t0);
  const counts = await reached(pacer, 'done');
  pacer.close();
  assert.equal(counts.sent + refusedOf(counts), frames.length);
  return counts;
}

function assertFrames(received: readonly Buffer[], sent: readonly Buffer[]): void {
  assert.equal(received.length, sent.length);
  for (const [i, frame] of sent.entries()) assert.ok(received[i]?.equals(frame), `frame ${i} is another`);
}

const numbered = (count: number, lengthOf: (i: number) => number): Buffer[] =>
  Array.from({ length: count }, (_, i) => experimentalFrame(lengthOf(i), i));

/** Of 20 s, a millisecond apart. */
const STEADY = numbered(20_000, () => 60);

export function linkContract({ name, skip = false, open, listen, largest, ...traits }: LinkCase): void {
  const { pair, knowsCarrier = false } = traits;
  describe(`the link ${name}`, { skip }, () => {
    let arrivedBefore = 0;
    const linkTest = (what: string, body: (t: TestContext) => Promise<void>): void => {
      test(what, async (t) => {
        await pair?.ready();
        if (pair) arrivedBefore = arrived();
        await body(t);
      });
    };
    /** Where the far end counts, it must have counted that. */
    const assertArrived = async (sent: number): Promise<void> => {
      if (pair) await waitFor(`${sent} frames at the far end`, () => arrived() - arrivedBefore === sent);
    };
    /** A frame per millisecond for as long as it takes. */
    const sendDuring = async (
      t: TestContext,
      body: (pacer: Pacer) => Promise<void>,
    ): Promise<PacerCounts> => {
      const pacer = await open(t);
      put(pacer, STEADY, MS);
      pacer.start(now());
      await sendMore(pacer);
      await body(pacer);
      pacer.stop();
      const counts = await reached(pacer, 'stopped');
      pacer.close();
      return counts;
    };
    const sendMore = async (pacer: Pacer): Promise<void> => {
      const { sent } = pacer.counts();
      await waitFor('more to be sent', () => pacer.counts().sent >= sent + 20, WITHIN);
    };
    const refuseMore = async (pacer: Pacer): Promise<void> => {
      const before = pacer.counts().refused['link-down'];
      await waitFor('refusals', () => pacer.counts().refused['link-down'] >= before + 20, WITHIN);
    };

    linkTest('sends every frame once, in order, byte for byte', async (t) => {
      const frames = numbered(1500, (i) => 60 + ((i * 37) % 1455));
      const received = await listen?.();
      const counts = await sendAll(await open(t), frames, 50_000);
      assert.deepEqual([counts.sent, counts.failure], [1500, 0]);
      assert.equal(
        counts.sentBytes,
        frames.reduce((sum, { length }) => sum + length, 0),
      );
      await assertArrived(1500);
      if (received) assertFrames(await received(), frames);
    });

    linkTest('sends at once, and all of it, what was due long ago', async (t) => {
      const frames = numbered(5000, () => 60);
      const received = await listen?.();
      const counts = await sendAll(await open(t), frames, 1000, now() - 10_000_000_000n);
      assert.equal(counts.sent, 5000);
      await assertArrived(5000);
      if (received) assertFrames(await received(), frames);
    });

    linkTest('has nothing to do in an empty run', async (t) => {
      const counts = await sendAll(await open(t), []);
      assert.deepEqual([counts.sent, refusedOf(counts), counts.first], [0, 0, null]);
    });

    if (largest !== null) {
      linkTest('refuses frames that are too large, and sends the rest', async (t) => {
        const sizes = [60, largest + 1, largest, 9000, 60];
        const frames = sizes.map((length, i) => experimentalFrame(length, i));
        const received = await listen?.();
        const counts = await sendAll(await open(t), frames);
        assert.deepEqual([counts.sent, counts.refused.oversize, refusedOf(counts)], [3, 2, 2]);
        assert.equal(counts.sentBytes, 60 + largest + 60);
        if (received) assertFrames(await received(), [frames[0]!, frames[2]!, frames[4]!]);
      });

      linkTest('allows a VLAN tag on top of that', async (t) => {
        const counts = await sendAll(await open(t), [
          experimentalFrame(largest + 4, 0, true),
          experimentalFrame(largest + 5, 1, true),
        ]);
        assert.deepEqual([counts.sent, counts.refused.oversize], [1, 1]);
        await assertArrived(1);
      });
    }

    linkTest('that is stopped while sending has sent what it says', async (t) => {
      const received = await listen?.();
      const counts = await sendDuring(t, async () => undefined);
      assert.equal(refusedOf(counts), 0);
      await assertArrived(counts.sent);
      if (received) assertFrames(await received(), STEADY.slice(0, counts.sent));
    });

    linkTest('that is closed while sending, twice, has sent what it says', async (t) => {
      const pacer = await open(t);
      put(pacer, STEADY, MS);
      pacer.start(now());
      await sendMore(pacer);
      const before = performance.now();
      pacer.close();
      pacer.close();
      assert.ok(performance.now() - before < 1000);
      const { state, sent } = pacer.counts();
      assert.equal(state, 'stopped');
      await assertArrived(sent);
    });

    if (!pair) return;

    linkTest('refuses frames too short for a header, and sends the rest', async (t) => {
      const frames = [experimentalFrame(60, 0), Buffer.alloc(5), Buffer.alloc(0), experimentalFrame(60, 1)];
      const counts = await sendAll(await open(t), frames);
      assert.deepEqual([counts.sent, counts.refused.other], [2, 2]);
      await assertArrived(2);
    });

    linkTest('loses the frames of the time that its interface is down, and goes on', async (t) => {
      const counts = await sendDuring(t, async (pacer) => {
        for (let i = 0; i < 2; i += 1) {
          await pair.change(`link set dev ${NEAR} down`);
          await refuseMore(pacer);
          await pair.change(`link set dev ${NEAR} up`);
          await sendMore(pacer);
        }
      });
      assert.equal(refusedOf(counts), counts.refused['link-down']);
      await assertArrived(counts.sent);
    });

    if (knowsCarrier) {
      linkTest('loses the frames of the time that there is no carrier, and goes on', async (t) => {
        const counts = await sendDuring(t, async (pacer) => {
          await pair.change(`link set dev ${FAR} down`);
          await refuseMore(pacer);
          await pair.change(`link set dev ${FAR} up`);
          await sendMore(pacer);
        });
        assert.equal(refusedOf(counts), counts.refused['link-down']);
      });
    }

    linkTest('follows the MTU of its interface', async (t) => {
      const pacer = await open(t);
      await pair.change(`link set dev ${FAR} mtu 1200`, `link set dev ${NEAR} mtu 1200`);
      const frames = [1214, 1215].map((length, i) => experimentalFrame(length, i));
      const counts = await sendAll(pacer, frames, 0, now() + BigInt(100 * MS));
      assert.deepEqual([counts.sent, counts.refused.oversize], [1, 1]);
    });

    linkTest('takes up an interface that is made again under its name', async (t) => {
      const counts = await sendDuring(t, async (pacer) => {
        await pair.remove();
        await refuseMore(pacer);
        await pair.ready();
        await sendMore(pacer);
      });
      assert.equal(refusedOf(counts), counts.refused['link-down']);
      assert.ok(arrived() >= 20);
    });

    const coded = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

    linkTest('says that its interface is down when it is opened', async (t) => {
      await pair.change(`link set dev ${NEAR} down`);
      await assert.rejects(async () => open(t), coded('interface-down'));
    });

    linkTest(
      'reaches the end of the run though its interface is gone, and says so when it is opened then',
      async (t) => {
        const pacer = await open(t);
        put(pacer, STEADY.slice(0, 1000), MS);
        pacer.end();
        pacer.start(now());
        await sendMore(pacer);
        await pair.remove();
        const counts = await reached(pacer, 'done');
        pacer.close();
        assert.equal(counts.sent + counts.refused['link-down'], 1000);
        assert.ok(counts.refused['link-down'] > 0);
        await assert.rejects(async () => open(t), coded('link-failed'));
      },
    );
  });
}
