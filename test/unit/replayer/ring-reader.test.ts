// The reader of the ring for pacers that are not native: what the writer wrote, over many laps, and nothing else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RECORD } from '@capfleet/replayer/native/binding';
import { RingReader } from '@capfleet/replayer/ring-reader';
import { RingWriter } from '@capfleet/replayer/ring-writer';
import { patterned } from '../../support/patterned.ts';
import { recordingPacer } from '../../support/recording-pacer.ts';

const BYTES = 4096;

/** A ring whose reader alone consumes; the writer learns of it with each commit. */
function ring(): { memory: ArrayBuffer; reader: RingReader; writer: RingWriter } {
  const { memory } = recordingPacer({ ringBytes: BYTES });
  const reader = new RingReader(memory);
  const commit = (head: number): number => {
    reader.publish(head);
    return reader.tail;
  };
  const writer = new RingWriter({ ...recordingPacer({ ringBytes: BYTES }), memory, commit });
  return { memory, reader, writer };
}

describe('the reader of a ring', () => {
  test('gives frames and origins as they were written, over many laps', () => {
    const { memory, reader, writer } = ring();
    for (let i = 0; i < 2000; i += 1) {
      const frame = patterned((i * 37) % 900, i);
      assert.ok(writer.frame(i * 3, frame, 0, frame.length));
      assert.ok(writer.origin(BigInt(i) << 40n));
      writer.commit();
      assert.equal(reader.peek(), 'frame');
      assert.equal(reader.peek(), 'frame', 'it stays until it is consumed');
      assert.equal(reader.due, i * 3);
      assert.ok(Buffer.from(memory, reader.start, reader.length).equals(frame));
      reader.consume();
      assert.equal(reader.peek(), 'origin');
      assert.equal(reader.origin, BigInt(i) << 40n);
      reader.consume();
      assert.equal(reader.peek(), 'empty');
    }
    assert.ok(reader.tail > 100 * BYTES);
  });

  for (const [what, head, words, due] of [
    ['of an unknown kind', 24, [8, 9], 0],
    ['that is longer than what was published', 24, [16, RECORD.frame], 0],
    ['that is longer than the ring', 24, [0xffff_ffff, RECORD.frame], 0],
    ['whose header was not published', 8, [0, RECORD.frame], 0],
    ['that is due at no time', 24, [8, RECORD.frame], Number.NaN],
    ['that is due at a fraction of a nanosecond', 24, [8, RECORD.frame], 0.5],
    ['of an origin that is none', 24, [4, RECORD.origin], 0],
    ['behind more than the ring holds', BYTES + 8, [8, RECORD.frame], 0],
    ['before the beginning', -8, [8, RECORD.frame], 0],
    ['of a filler beyond what was published', 24, [0, RECORD.filler], 0],
  ] as const) {
    test(`finds a record ${what} malformed`, () => {
      const { memory, reader } = ring();
      new Uint32Array(memory).set(words);
      new Float64Array(memory)[1] = due;
      reader.publish(head);
      assert.equal(reader.peek(), 'malformed');
      assert.equal(reader.tail, 0);
    });
  }
});
