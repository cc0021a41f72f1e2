import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { Heap } from '@capfleet/replayer/heap';
import { HeldPackets, ReorderingReader } from '@capfleet/replayer/reorder';
import { fileOf, nameOf, payload } from '../../support/merge-files.ts';
import { memoryReader, type MemoryReaderOptions } from '../../support/memory-reader.ts';
import { blocks } from '../../support/pcapng-writer.ts';

const T = 1_600_000_000_999_999_000n;

interface Reordered {
  /** Numbers of the packets in the order in which they came. */
  order: number[];
  reordered: number;
  failure: unknown;
}

async function reorder(
  bytes: Buffer,
  window: number,
  options: MemoryReaderOptions & { most?: number } = {},
): Promise<Reordered> {
  const held = new HeldPackets(options.most);
  const reader = new ReorderingReader(await openCapture(memoryReader(bytes, options), 'x'), window, held);
  const order: number[] = [];
  let reordered = 0;
  let failure: unknown;
  try {
    do
      while (reader.advance()) {
        const { dataStart, capturedLength } = reader;
        if (reader.reordered) reordered += 1;
        order.push(nameOf(reader.window.subarray(dataStart, dataStart + capturedLength))[1]);
      }
    while (await reader.fill());
    assert.equal(reader.advance(), false);
    assert.equal(await reader.fill(), false);
  } catch (thrown) {
    failure = thrown;
  }
  await reader.close();
  return { order, reordered, failure };
}

const of = (offsets: readonly number[]): Buffer =>
  fileOf(
    0,
    offsets.map((offset) => T + BigInt(offset)),
  );

describe('packets that run backwards', () => {
  test('are put in order within the window, ties in the order of the file', async () => {
    const { order, reordered } = await reorder(of([0, 100, 50, 100, 50, 60, 200]), 100);
    assert.deepEqual(order, [0, 2, 4, 5, 1, 3, 6]);
    assert.equal(reordered, 3);
  });

  test('further than the window go out as soon as they are read', async () => {
    const { order, reordered } = await reorder(of([0, 1000, 2000, 500, 1500, 3000, 100, 4000]), 600);
    // 500 and 100 come when 1000 and later ones are gone already.
    assert.deepEqual(order, [0, 1, 3, 4, 2, 6, 5, 7]);
    assert.equal(reordered, 1);
  });

  test('over the turn of a second, and by hours, where the window is that wide', async () => {
    const hour = 3_600_000_000_000;
    const offsets = [0, 2 * hour, 2000, 500, hour];
    assert.deepEqual((await reorder(of(offsets), 3 * hour)).order, [0, 3, 2, 4, 1]);
  });

  test('come out as a stable sort where the window holds them all, whatever the pieces they are read in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(50), { maxLength: 60 }),
        fc.constantFrom(1, 13, 100, 4096),
        async (offsets, chunk) => {
          const { order } = await reorder(of(offsets), 50, { chunk });
          const expected = offsets.map((offset, index) => ({ offset, index }));
          expected.sort((a, b) => a.offset - b.offset || a.index - b.index);
          assert.deepEqual(
            order,
            expected.map(({ index }) => index),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('are all there, in order as far as the window reaches, whatever the window and the room', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(1000), { maxLength: 60 }),
        fc.nat(1000),
        fc.constantFrom(400, 2000, 1_000_000),
        async (offsets, window, most) => {
          const { order } = await reorder(of(offsets), window, { most });
          assert.deepEqual(
            order.toSorted((a, b) => a - b),
            offsets.map((_, index) => index),
          );
          if (most < 1_000_000) return;
          // A packet out of order was read when one later by more than the window had been.
          let latest = -1;
          for (const index of order) {
            const offset = offsets[index]!;
            if (offset < latest) {
              const before = Math.max(...offsets.slice(0, index));
              assert.ok(before - offset > window, `${offset} after ${latest}`);
            }
            latest = Math.max(latest, offset);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('beyond the room that there is go out too soon, and none is lost', async () => {
    const offsets = Array.from({ length: 500 }, (_, index) => (index === 499 ? 0 : index));
    const { order } = await reorder(of(offsets), 1_000_000, { most: 10_000 });
    assert.equal(new Set(order).size, 500);
    // 10,000 bytes are some 26 packets of up to 128 bytes.
    const place = order.indexOf(499);
    assert.ok(place > 400 && place < 499, String(place));
  });
});

describe('a capture that is put in order', () => {
  test('gives what it holds back before a failure of reading', async () => {
    const error = new Error('EIO');
    const { order, failure } = await reorder(of([5, 4, 3, 2, 1]), 100, {
      chunk: 64,
      failure: { at: 180, error },
    });
    assert.equal(failure, error);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => b - a),
    );
    assert.ok(order.length > 1);
  });

  test('has a packet without a stamp right behind the one before it', async () => {
    const b = blocks('le');
    const stamped = (index: number, offset: bigint): Buffer =>
      b.enhanced({ stamp: T + offset, data: payload(0, index) });
    const bytes = Buffer.concat([
      b.section(),
      b.interface({ resolution: 9 }),
      stamped(0, 10n),
      b.simple(payload(0, 1)),
      stamped(2, 5n),
      b.simple(payload(0, 3)),
      stamped(4, 20n),
    ]);
    const { order, reordered } = await reorder(bytes, 100);
    assert.deepEqual(order, [2, 3, 0, 1, 4]);
    assert.equal(reordered, 1);
  });

  test('keeps length, link type and bytes of each packet, of any size', async () => {
    const b = blocks('le');
    const sizes = [0, 1, 128, 129, 4096, 70_000, 262_144];
    const bytes = Buffer.concat([
      b.section(),
      b.interface({ resolution: 9 }),
      b.interface({ resolution: 9, linkType: 113 }),
      ...sizes.map((size, index) =>
        b.enhanced({
          interface: index % 2,
          stamp: T - BigInt(index),
          data: Buffer.alloc(size, index + 1),
          wireLength: size + 7,
        }),
      ),
    ]);
    const held = new HeldPackets();
    const reader = new ReorderingReader(await openCapture(memoryReader(bytes), 'x'), 1000, held);
    for (const [index, size] of [...sizes.entries()].reverse()) {
      while (!reader.advance()) assert.ok(await reader.fill());
      const { linkType, capturedLength, wireLength, window, dataStart } = reader;
      assert.deepEqual([linkType, capturedLength, wireLength], [index % 2 === 0 ? 1 : 113, size, size + 7]);
      assert.deepEqual(window.subarray(dataStart, dataStart + size), Buffer.alloc(size, index + 1));
    }
    await reader.close();
  });
});

test('a heap gives the first of what it holds, always', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20), { nil: null })), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const step of steps) {
        if (step === null) {
          heap.pop();
          model = model.slice(1);
        } else {
          heap.push(step);
          model = [...model, step].sort((a, b) => a - b);
        }
        assert.equal(heap.first, model[0]);
        assert.equal(heap.items.length, model.length);
      }
    }),
  );
});
