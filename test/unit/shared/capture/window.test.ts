import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { CaptureWindow, LARGE_WINDOW_BYTES } from '@capfleet/shared/capture/window';
import { Failure } from '@capfleet/shared/errors/failure';
import { memoryReader, type MemoryReader } from '../../../support/memory-reader.ts';
import { pcapFile } from '../../../support/pcap-writer.ts';
import { patterned } from '../../../support/patterned.ts';
import { createPrng } from '../../../support/prng.ts';
import { readBytes } from '../../../support/read-capture.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

function windowOf(bytes: Buffer, chunk: number | readonly number[] = Infinity, largest = LARGE_WINDOW_BYTES) {
  const reader = memoryReader(bytes, { chunk });
  return { reader, window: new CaptureWindow(reader, 0, largest) };
}

/** Resolves when whatever was started has had its turn. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a window', () => {
  test('gives all bytes in order and tells their offsets, for any pieces, records and gaps', async () => {
    const bytes = createPrng(5).fill(Buffer.alloc(900_000));
    const steps = fc.array(
      fc.record({
        skip: fc.boolean(),
        length: fc.integer({ min: 1, max: 400_000 }).chain((most) => fc.integer({ min: 1, max: most })),
      }),
      { minLength: 1, maxLength: 30 },
    );
    const pieces = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 3 });
    const largest = fc.constantFrom(16 * KIB, 256 * KIB, LARGE_WINDOW_BYTES);
    await fc.assert(
      fc.asyncProperty(steps, pieces, largest, async (records, chunk, most) => {
        const { window } = windowOf(bytes, chunk, most);
        let at = 0;
        for (const { skip, length } of records) {
          if (skip) window.skip(length);
          else {
            while (window.end - window.start < length) {
              if (await window.fill(length)) continue;
              assert.ok(at + length > bytes.length);
              return;
            }
            assert.equal(window.offsetOf(window.start), at);
            const found = window.bytes.subarray(window.start, window.start + length);
            assert.ok(found.equals(bytes.subarray(at, at + length)));
            window.start += length;
          }
          at += length;
        }
      }),
      { numRuns: 150 },
    );
  });

  test('reads the next one while this one is looked at', async () => {
    const { reader, window } = windowOf(Buffer.alloc(3 * MIB));
    assert.equal(await window.fill(1), true);
    const seen = window.end;
    await settled();
    assert.ok(reader.consumed > seen, `${reader.consumed} bytes read, ${seen} to look at`);
  });

  test('of a small file costs little, and grows with a large one up to its bound', async () => {
    const sizes = new Set<number>();
    const source: ByteReader = {
      read: async (_target, _offset, length) => {
        sizes.add(length);
        return length;
      },
      consumed: 0,
      close: async () => undefined,
    };
    const window = new CaptureWindow(source, 0, LARGE_WINDOW_BYTES);
    for (let fills = 0; fills < 50; fills += 1) {
      window.start = window.end;
      await window.fill(1);
    }
    assert.deepEqual(
      [...sizes],
      [16, 1856].map((size) => size * KIB),
    );

    const small = windowOf(Buffer.alloc(100));
    await small.window.fill(1);
    await settled();
    assert.ok(small.window.bytes.length <= 16 * KIB);
  });

  test('never grows with what a record claims, only with what is there', async () => {
    const file = pcapFile({ linkType: 189 }, [{ seconds: 1, fraction: 0, data: patterned(100) }]);
    file.writeUInt32LE(120 * MIB, 24 + 8);
    const before = process.memoryUsage().arrayBuffers;
    const { warnings } = await readBytes(file);
    assert.equal(warnings[0]?.kind, 'cut-off-record');
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * MIB);
  });

  test('tells a failed read to the next who asks, and a damaged compression as an end', async () => {
    const error = new Failure('read-failed', { path: 'p', reason: 'r' });
    const failing = (thrown: Error): MemoryReader =>
      memoryReader(Buffer.alloc(100), { failure: { at: 50, error: thrown } });
    const window = new CaptureWindow(failing(error), 0, LARGE_WINDOW_BYTES);
    assert.equal(await window.fill(50), true);
    await settled();
    await assert.rejects(window.fill(60), error);

    const damage = new Failure('compression-damaged', { path: 'p', offset: 1, reason: 'r', cut: 'no' });
    const damaged = new CaptureWindow(failing(damage), 0, LARGE_WINDOW_BYTES);
    assert.equal(await damaged.fill(60), false);
    assert.equal(damaged.damage, damage);
    assert.equal(damaged.end - damaged.start, 50);
  });

  test('gives all bytes whatever it may grow to, odd sizes and none at all', async () => {
    const bytes = createPrng(9).fill(Buffer.alloc(150_003));
    for (const largest of [0, 1, 1000, 16_385, 26_687, 65_535, 99_999, 1_000_001]) {
      const { window } = windowOf(bytes, Infinity, largest);
      for (let at = 0; at < bytes.length;) {
        const wanted = Math.min(bytes.length - at, 15_554);
        assert.ok(await window.fill(wanted), `${largest}`);
        assert.ok(
          window.bytes.subarray(window.start, window.start + wanted).equals(bytes.subarray(at, at + wanted)),
        );
        assert.equal(window.offsetOf(window.start), at);
        window.skip(wanted);
        at += wanted;
      }
      assert.equal(await window.fill(1), false);
    }
  });

  test('can be closed while it reads ahead', async () => {
    const { reader, window } = windowOf(Buffer.alloc(3 * MIB));
    await window.fill(1);
    await window.close();
    assert.equal(reader.closed, 1);
  });
});
