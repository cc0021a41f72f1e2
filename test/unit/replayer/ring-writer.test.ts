import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RECORD_HEADER_BYTES } from '@capfleet/replayer/native/binding';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { patterned } from '../../support/patterned.ts';
import { recordingPacer, type RecordedFrame } from '../../support/recording-pacer.ts';

const RING = 64 * 1024;

describe('the ring', () => {
  test('carries frames of any sizes over many laps, whatever the pacer takes at a time', () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(1600), fc.nat(RING / 2 - 16)), {
      minLength: 50,
      maxLength: 300,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 20 }), (lengths, appetite) => {
        const pacer = recordingPacer({ ringBytes: RING, appetite });
        pacer.start(0n);
        const ring = new RingWriter(pacer);
        const expected: RecordedFrame[] = [];
        for (const [index, length] of lengths.entries()) {
          const bytes = patterned(length, index);
          let tries = 0;
          while (!ring.frame(index, bytes, 0, length)) {
            ring.commit();
            assert.ok((tries += 1) < 10_000, 'no room is ever made');
          }
          expected.push({ due: BigInt(index), bytes });
        }
        ring.commit();
        pacer.consume();
        assert.equal(pacer.counts().state, 'running');
        assert.deepEqual(pacer.frames, expected);
      }),
      { numRuns: 60 },
    );
  });

  test('takes part of a larger buffer, and only that', () => {
    const pacer = recordingPacer();
    const ring = new RingWriter(pacer);
    const source = patterned(100, 1);
    assert.ok(ring.frame(5, source, 10, 33));
    assert.ok(ring.frame(6, source, 99, 1));
    assert.ok(ring.frame(7, source, 0, 0));
    ring.commit();
    pacer.consume();
    assert.deepEqual(
      pacer.frames.map(({ bytes }) => bytes),
      [source.subarray(10, 43), source.subarray(99), Buffer.alloc(0)],
    );
  });

  test('adds the origin to what follows it, and keeps every digit', () => {
    const pacer = recordingPacer();
    const ring = new RingWriter(pacer);
    const byte = Buffer.from('x');
    const far = 2n ** 62n + 1n;
    assert.ok(ring.frame(1, byte, 0, 1));
    assert.ok(ring.origin(far));
    assert.ok(ring.frame(2, byte, 0, 1));
    assert.ok(ring.origin(-far));
    assert.ok(ring.frame(-3, byte, 0, 1));
    ring.commit();
    pacer.consume();
    assert.deepEqual(
      pacer.frames.map(({ due }) => due),
      [1n, far + 2n, -far - 3n],
    );
  });

  test('says when there is no room, writes nothing then, and goes on when there is', () => {
    const pacer = recordingPacer({ ringBytes: RING });
    const ring = new RingWriter(pacer);
    const frame = patterned(1000, 0);
    let written = 0;
    while (ring.frame(written, frame, 0, 1000)) written += 1;
    assert.equal(written, Math.floor(RING / 1016));
    assert.equal(ring.frame(written, frame, 0, 1000), false);
    ring.commit();
    assert.equal(ring.frame(written, frame, 0, 1000), false, 'the pacer has taken nothing');
    pacer.consume(2);
    ring.commit();
    assert.equal(ring.frame(written, frame, 0, 1000), true);
    ring.commit();
    pacer.consume();
    assert.deepEqual(
      pacer.frames.map(({ due }) => Number(due)),
      Array.from({ length: written + 1 }, (_, due) => due),
    );
  });

  test('takes a frame of half the ring at any place of the ring', () => {
    for (let shift = 0; shift < RING; shift += 4097) {
      const pacer = recordingPacer({ ringBytes: RING });
      const ring = new RingWriter(pacer);
      for (let left = shift; left > 0; left -= 4096) {
        assert.ok(ring.frame(0, patterned(4096, 1), 0, Math.min(left, 4096)));
      }
      ring.commit();
      pacer.consume();
      ring.commit();
      const largest = patterned(pacer.memory.byteLength / 2 - RECORD_HEADER_BYTES, 2);
      assert.ok(ring.frame(9, largest, 0, largest.length), `after ${shift} bytes`);
      ring.commit();
      pacer.consume();
      assert.deepEqual(pacer.frames.at(-1), { due: 9n, bytes: largest });
    }
  });

  test('publishes by itself after a while, so that the pacer need not wait for a full ring', () => {
    const pacer = recordingPacer({ ringBytes: 1024 * 1024 });
    const ring = new RingWriter(pacer);
    for (let i = 0; i < 500; i += 1) assert.ok(ring.frame(i, patterned(1000, i), 0, 1000));
    assert.ok(pacer.commits >= 5 && pacer.commits <= 10, `${pacer.commits} commits`);
    assert.ok(pacer.head > 400_000);
  });

  test('publishes nothing before it is asked to, or has enough', () => {
    const pacer = recordingPacer();
    const ring = new RingWriter(pacer);
    assert.ok(ring.frame(0, patterned(10, 0), 0, 10));
    assert.equal(pacer.consume(), 0);
    ring.commit();
    assert.equal(pacer.consume(), 1);
  });
});
