import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  chainsToEnd,
  commonRecords,
  guessRecord,
  recordEnd,
  signsOfRecord,
  type RecordRules,
  type RecordSigns,
} from '@capfleet/shared/capture/record-chain';
import { PCAP_HEADER_LENGTH, pcapFile, type PcapRecord } from '../../../support/pcap-writer.ts';
import { captureOf } from '../../../support/read-capture.ts';

const RULES: RecordRules = { littleEndian: true, maxCaptured: 262_144 };
const SIGNS: RecordSigns = { fractionLimit: 1e6, fromSeconds: 1_599_000_000, toSeconds: 1_601_000_000 };
const HEADER = 16;
const SECOND_OF_WORK_MS = 5000;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Records without the file header. */
function recordsOf(lengths: readonly number[]): Buffer {
  return captureOf(lengths).subarray(PCAP_HEADER_LENGTH);
}

function recordOf(record: Partial<PcapRecord>, byteOrder: 'le' | 'be' = 'le'): DataView {
  const full = { seconds: 1_600_000_000, fraction: 0, data: Buffer.alloc(10), ...record };
  return viewOf(pcapFile({ byteOrder }, [full]).subarray(PCAP_HEADER_LENGTH));
}

/** The chain from an offset by following it: its offsets, or null where it does not end at the window's end. */
function follow(window: DataView, rules: RecordRules, from: number): number[] | null {
  const chain: number[] = [];
  let at = from;
  while (at < window.byteLength) {
    if (at > window.byteLength - HEADER) return null;
    chain.push(at);
    at = recordEnd(window, at, rules);
  }
  return at === window.byteLength ? chain : null;
}

/** Windows in which much is a record: bytes that are mostly zero, a few small. */
const rich = fc
  .array(fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 40 })), {
    maxLength: 300,
  })
  .map((bytes) => viewOf(Uint8Array.from(bytes)));
const small: RecordRules = { littleEndian: true, maxCaptured: 60 };

describe('a record in the middle of a file', () => {
  test('ends behind its captured bytes, in either byte order, perhaps behind the window', () => {
    assert.equal(recordEnd(recordOf({}), 0, RULES), 26);
    assert.equal(recordEnd(recordOf({}, 'be'), 0, { ...RULES, littleEndian: false }), 26);
    assert.equal(recordEnd(recordOf({ data: Buffer.alloc(0) }), 0, RULES), 16);
    const cut = recordOf({ data: Buffer.alloc(262_144) });
    assert.equal(recordEnd(cut, 0, RULES), 262_160);
  });

  test('is none where it claims more than the bound', () => {
    assert.equal(recordEnd(recordOf({ data: Buffer.alloc(262_145) }), 0, RULES), Infinity);
  });

  test('shows its signs: fraction, wire length, time', () => {
    const signs = (record: Partial<PcapRecord>): number => signsOfRecord(recordOf(record), 0, RULES, SIGNS);
    assert.equal(signs({}), 3);
    assert.equal(signs({ fraction: 999_999, seconds: 1_599_000_000, wireLength: 16 * 1024 * 1024 }), 3);
    assert.equal(signs({ seconds: 1_601_000_000 }), 3);
    assert.equal(signs({ fraction: 1_000_000 }), 2);
    assert.equal(signs({ seconds: 1_598_999_999 }), 2);
    assert.equal(signs({ seconds: 1_601_000_001 }), 2);
    assert.equal(signs({ wireLength: 9 }), 2);
    assert.equal(signs({ wireLength: 16 * 1024 * 1024 + 1 }), 2);
    assert.equal(signs({ data: Buffer.alloc(0), wireLength: 0 }), 2);
    assert.equal(signs({ seconds: 5, fraction: 2e6, wireLength: 1 }), 0);
  });
});

describe('the chains to the end', () => {
  test('are those that following each offset finds', () => {
    fc.assert(
      fc.property(rich, (window) => {
        const expected = Array.from({ length: window.byteLength + 1 }, (_, at) =>
          Number(follow(window, small, at) !== null),
        );
        assert.deepEqual([...chainsToEnd(window, small)], expected);
      }),
      { numRuns: 300 },
    );
  });

  test('of records are the records', () => {
    const bytes = recordsOf([60, 0, 1514, 33]);
    const reaches = chainsToEnd(viewOf(bytes), RULES);
    for (const offset of [0, 76, 92, 1622]) assert.equal(reaches[offset], 1);
    assert.equal(reaches[1], 0);
  });

  for (const [what, fill] of [
    ['zeros', 0],
    ['ones', 0xff],
    ['what may be a record at any offset', 1],
  ] as const) {
    test(`are found in linear time in a window full of ${what}`, () => {
      const window = viewOf(Buffer.alloc(4 * 1024 * 1024, fill));
      const rules = { littleEndian: true, maxCaptured: 0xffff_ffff };
      const started = performance.now();
      const reaches = chainsToEnd(window, fill === 0xff ? RULES : rules);
      commonRecords(window, rules, reaches, 1024 * 1024);
      guessRecord(window, rules, SIGNS, 1024 * 1024);
      assert.ok(performance.now() - started < SECOND_OF_WORK_MS);
    });
  }
});

describe('the records common to all chains', () => {
  test('are, behind where the chains begin, those on every one of them', () => {
    fc.assert(
      fc.property(rich, fc.integer({ min: 1, max: 300 }), (window, within) => {
        const chains: number[][] = [];
        for (let at = 0; at < Math.min(within, window.byteLength); at += 1) {
          const chain = follow(window, small, at);
          if (chain) chains.push(chain);
        }
        const found = commonRecords(window, small, chainsToEnd(window, small), within);
        const lasts = new Set(chains.map((chain) => chain.at(-1)));
        if (lasts.size !== 1) {
          assert.deepEqual(found, []);
          return;
        }
        const [last] = lasts;
        assert.equal(found.at(-1), last);
        for (const offset of found) {
          assert.ok(offset >= within || offset === last);
          assert.ok(chains.every((chain) => chain.includes(offset)));
        }
        for (const [index, offset] of found.entries())
          assert.equal(recordEnd(window, offset, small), found[index + 1] ?? window.byteLength);
      }),
      { numRuns: 500 },
    );
  });

  test('are all records of a window that begins with part of one', () => {
    const bytes = recordsOf([500, ...Array<number>(50).fill(100)]);
    const window = viewOf(bytes.subarray(300));
    const records = commonRecords(window, RULES, chainsToEnd(window, RULES), 300);
    assert.deepEqual([records[0], records.length], [516 - 300 + 116, 49]);
  });

  test('are none where a capture in the last one ends with it', () => {
    const inner = recordsOf([60, 60]);
    const bytes = Buffer.concat([
      recordsOf([60]),
      pcapFile({}, [{ seconds: 1, fraction: 1, data: inner }]).subarray(24),
    ]);
    const window = viewOf(bytes);
    assert.deepEqual(commonRecords(window, RULES, chainsToEnd(window, RULES), bytes.length), []);
    // Where no chain begins inside of the last record, it is known.
    assert.deepEqual(commonRecords(window, RULES, chainsToEnd(window, RULES), 50), [76]);
  });

  test('are none where there is no chain', () => {
    const window = viewOf(Buffer.alloc(1000, 0xff));
    assert.deepEqual(commonRecords(window, RULES, chainsToEnd(window, RULES), 1000), []);
    const empty = viewOf(Buffer.alloc(0));
    assert.deepEqual(commonRecords(empty, RULES, chainsToEnd(empty, RULES), 10), []);
  });
});

describe('the guess at a record', () => {
  test('is the first record behind part of one', () => {
    const bytes = recordsOf(Array.from({ length: 60 }, (_, i) => 40 + ((i * 37) % 900)));
    let second = 56;
    for (const from of [1, 10, 40])
      assert.equal(guessRecord(viewOf(bytes.subarray(from)), RULES, SIGNS, 5000), second - from);
    second += 16 + 77;
    assert.equal(guessRecord(viewOf(bytes.subarray(60)), RULES, SIGNS, 5000), second - 60);
  });

  test('is the one record that goes over the window', () => {
    const bytes = Buffer.concat([Buffer.alloc(30, 0xee), recordsOf([5000]).subarray(0, 100)]);
    assert.equal(guessRecord(viewOf(bytes), RULES, SIGNS, 100), 30);
  });

  test('is none in zeros, in ones, in less than a header, and behind where it is looked for', () => {
    for (const bytes of [Buffer.alloc(1000), Buffer.alloc(1000, 0xff), Buffer.alloc(15), Buffer.alloc(0)])
      assert.equal(guessRecord(viewOf(bytes), RULES, SIGNS, 1000), null);
    const late = Buffer.concat([Buffer.alloc(100, 0xff), recordsOf([60, 60])]);
    assert.equal(guessRecord(viewOf(late), RULES, SIGNS, 90), null);
    assert.equal(guessRecord(viewOf(late), RULES, SIGNS, 101), 100);
  });

  test('takes no record of an empty packet that was on no wire for one', () => {
    const bytes = Buffer.concat([Buffer.alloc(200), recordsOf(Array<number>(20).fill(60))]);
    assert.equal(guessRecord(viewOf(bytes), RULES, SIGNS, 300), 200);
  });
});
