/**
 * One case of the fuzz: a file is read to its end in two ways of arriving, and everything that a reader promises of any
 * bytes whatever is held against what it does.
 */
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { breakingKinds, warningKinds, type CaptureWarning } from '@capfleet/shared/capture/warning';
import { Failure } from '@capfleet/shared/errors/failure';
import { memoryReader } from '../memory-reader.ts';

const MIB = 1024 * 1024;
/** What a file may make a reader allocate, beside the file itself. */
const MOST_MEMORY = 96 * MIB;
/** Packets of one file that are looked at: one that expands without end is left there. */
const MOST_PACKETS = 200_000;
const MOST_BYTES = 32 * MIB;
const OPENING_CODES = /^(capture-(empty|too-short|unknown|unsupported|version|damaged)|compression-damaged)$/;

interface Outcome {
  /** The code with which opening failed. */
  failure: string | null;
  /** A checksum of each packet and what is said of it. */
  packets: number[];
  warnings: CaptureWarning[];
  /** It was left in the middle, because it is large. */
  left: boolean;
}

export async function runCase(bytes: Buffer, chunk: readonly number[]): Promise<void> {
  const whole = await readAs(bytes, [Infinity]);
  const pieces = await readAs(bytes, chunk);
  assert.equal(whole.left, pieces.left);
  if (damaged(whole) || damaged(pieces)) {
    // A decoder that meets damage loses what its last step had given: how much that is depends on the pieces.
    const common = Math.min(whole.packets.length, pieces.packets.length);
    assert.deepEqual(pieces.packets.slice(0, common), whole.packets.slice(0, common));
    return;
  }
  assert.deepEqual(pieces, whole);
}

function damaged({ failure, warnings }: Outcome): boolean {
  return failure === 'compression-damaged' || warnings.some(({ kind }) => kind.endsWith('-compression'));
}

async function readAs(bytes: Buffer, chunk: readonly number[]): Promise<Outcome> {
  const outcome: Outcome = { failure: null, packets: [], warnings: [], left: false };
  const source = memoryReader(bytes, { chunk });
  const before = process.memoryUsage().arrayBuffers;
  let reader;
  try {
    reader = await openCapture(source, 'fuzz');
  } catch (thrown) {
    assert.ok(thrown instanceof Failure, String(thrown));
    assert.match(thrown.code, OPENING_CODES);
    assert.ok(source.closed > 0, 'left open');
    return { ...outcome, failure: thrown.code };
  }
  let read = 0;
  try {
    do {
      while (reader.advance()) {
        const { seconds, nanos, window, dataStart, capturedLength, wireLength, timed, linkType } = reader;
        assert.ok(Number.isSafeInteger(seconds) && nanos >= 0 && nanos < 1e9);
        assert.ok(dataStart >= 0 && dataStart + capturedLength <= window.length);
        const told = `${seconds}.${nanos} ${wireLength} ${timed} ${linkType}`;
        outcome.packets.push(crc32(window.subarray(dataStart, dataStart + capturedLength), crc32(told)));
        read += capturedLength + 16;
        if (outcome.packets.length < MOST_PACKETS && read < MOST_BYTES) continue;
        outcome.left = true;
        break;
      }
      const grown = process.memoryUsage().arrayBuffers - before;
      assert.ok(grown < MOST_MEMORY, `${grown} bytes in memory`);
    } while (!outcome.left && (await reader.fill()));
    outcome.warnings = outcome.left ? [] : reader.warnings();
  } finally {
    await reader.close();
  }
  assert.ok(outcome.warnings.filter(({ kind }) => breakingKinds.has(kind)).length <= 1);
  for (const { kind, count, offset, message } of outcome.warnings) {
    assert.ok(warningKinds.includes(kind) && count > 0 && message !== '');
    assert.ok(Number.isSafeInteger(offset) && offset >= 0);
  }
  return outcome;
}
