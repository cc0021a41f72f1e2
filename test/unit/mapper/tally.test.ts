import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { Tally } from '@capfleet/mapper/tally';
import { memoryReader } from '../../support/memory-reader.ts';
import { pcapFile, type PcapRecord } from '../../support/pcap-writer.ts';

async function tallyOf(records: readonly PcapRecord[], chunk = Infinity): Promise<Tally> {
  const reader = await openCapture(memoryReader(pcapFile({ magic: 'ns' }, records), { chunk }), 'p');
  const tally = new Tally();
  do tally.takeWindow(reader);
  while (await reader.fill());
  await reader.close();
  return tally;
}

const record = fc.record({
  seconds: fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff })),
  fraction: fc.oneof(fc.constantFrom(0, 1, 999_999_999), fc.integer({ min: 0, max: 999_999_999 })),
  data: fc.uint8Array({ maxLength: 40 }),
  wireLength: fc.integer({ min: 40, max: 0xffff_ffff }),
});

describe('the tally of a capture', () => {
  test('stays a number that travels, whatever lengths a hostile capture claims', () => {
    const tally = new Tally();
    const packet = { seconds: 0, nanos: 0, timed: true, capturedLength: 0, wireLength: 0xffff_ffff };
    for (let count = 0; count < 2 ** 21 + 2; count += 1) tally.take(packet);
    assert.equal(tally.toRecord().wireBytes, Number.MAX_SAFE_INTEGER);
  });

  test('is what counting by hand gives, for any packets and pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 500 }),
        async (records, chunk) => {
          const tally = await tallyOf(records, chunk);
          const times = records.map((r) => BigInt(r.seconds) * 1_000_000_000n + BigInt(r.fraction));
          const sorted = times.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
          assert.deepEqual(
            [tally.first, tally.last, tally.earliest, tally.latest],
            [times[0], times.at(-1), sorted[0], sorted.at(-1)],
          );
          assert.equal(tally.packets, records.length);
          assert.equal(
            tally.capturedBytes,
            records.reduce((sum, { data }) => sum + data.length, 0),
          );
          assert.equal(
            tally.wireBytes,
            records.reduce((sum, { wireLength }) => sum + wireLength, 0),
          );
          assert.equal(tally.maxCaptured, Math.max(...records.map(({ data }) => data.length)));
          assert.equal(tally.maxWire, Math.max(...records.map(({ wireLength }) => wireLength)));
          assert.equal(tally.outOfOrder, times.filter((time, i) => i > 0 && time < times[i - 1]!).length);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of nothing has no instants and no counts', async () => {
    const tally = await tallyOf([]);
    assert.deepEqual([tally.first, tally.last, tally.earliest, tally.latest], [null, null, null, null]);
    assert.deepEqual([tally.packets, tally.maxCaptured, tally.outOfOrder], [0, 0, 0]);
  });

  test('counts a stamp as out of order after the one before it, not after the latest', async () => {
    const times = [10, 5, 6, 7, 7, 6, 20];
    const tally = await tallyOf(times.map((seconds) => ({ seconds, fraction: 0, data: Buffer.alloc(0) })));
    assert.equal(tally.outOfOrder, 2);
  });

  test('is the same for the whole and for stretches that are appended one to the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 30 }),
        fc.array(fc.nat({ max: 30 }), { maxLength: 4 }),
        async (records, cuts) => {
          const whole = await tallyOf(records);
          const joined = new Tally();
          const ends = [...cuts.toSorted((a, b) => a - b), records.length];
          for (const [index, end] of ends.entries())
            joined.append((await tallyOf(records.slice(ends[index - 1] ?? 0, end))).toRecord());
          assert.deepEqual(joined.toRecord(), whole.toRecord());
        },
      ),
      { numRuns: 200 },
    );
  });

  test('passes over packets without a stamp when it is appended', () => {
    const untimed = { seconds: 0, nanos: 0, timed: false, capturedLength: 5, wireLength: 6 };
    const timed = { ...untimed, timed: true, seconds: 9 };
    const [joined, first, second] = [new Tally(), new Tally(), new Tally()];
    first.take(untimed);
    second.take(timed);
    second.take({ ...timed, seconds: 8 });
    for (const next of [first, second, first, second]) joined.append(next.toRecord());
    assert.deepEqual([joined.packets, joined.untimed, joined.outOfOrder], [6, 2, 2]);
    assert.deepEqual(
      [joined.first, joined.last, joined.earliest],
      [9_000_000_000n, 8_000_000_000n, 8_000_000_000n],
    );
  });
});
