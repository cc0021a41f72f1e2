import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { constants, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { breakingKinds } from '@capfleet/shared/capture/warning';
import { Failure } from '@capfleet/shared/errors/failure';
import { collectGarbage } from '../../../support/collect-garbage.ts';
import { memoryReader } from '../../../support/memory-reader.ts';
import { pcapFile, pcapRecordOffset } from '../../../support/pcap-writer.ts';
import { createPrng } from '../../../support/prng.ts';
import { captureOf, drain, readBytes, records, type ReadCapture } from '../../../support/read-capture.ts';

const CHUNKS = [1, 2, 3, 7, 16, 17, 64 * 1024, Infinity];
/** The slice that the reader inflates at a time. */
const SLICE = 64 * 1024;

const small = captureOf(Array.from({ length: 40 }, (_, i) => (i * 37) % 300));
/** Does not compress, so that it spans several slices. */
const prng = createPrng(7);
const large = pcapFile(
  {},
  records(Array.from({ length: 300 }, () => prng.between(500, 1500))).map((record) => ({
    ...record,
    data: prng.fill(Buffer.alloc(record.data.length)),
  })),
);

const plain = async (file: Uint8Array): Promise<ReadCapture['packets']> => (await readBytes(file)).packets;

/** A member whose file name field makes it `length` bytes longer than needed. */
function memberWithName(bytes: Uint8Array, length: number): Buffer {
  const member = gzipSync(bytes, { level: 0 });
  const head = Buffer.from(member.subarray(0, 10));
  head[3] = 8;
  return Buffer.concat([head, Buffer.alloc(length - 1, 0x61), Buffer.alloc(1), member.subarray(10)]);
}

describe('a gzip capture', () => {
  for (const chunk of CHUNKS) {
    test(`arriving ${chunk} bytes at a time is the plain one`, async () => {
      const read = await readBytes(gzipSync(small), { chunk });
      assert.deepEqual(read.packets, await plain(small));
      assert.deepEqual(read.warnings, []);
      assert.equal(read.info.compression, 'gzip');
    });
  }

  test('of several slices is read whole, stored and compressed', async () => {
    for (const level of [0, 1, 9]) {
      const zipped = gzipSync(large, { level });
      assert.ok(zipped.length > 3 * SLICE);
      for (const chunk of [4093, SLICE - 1, SLICE, Infinity]) {
        assert.deepEqual((await readBytes(zipped, { chunk })).packets, await plain(large));
      }
    }
  });

  test('of many members is read as one, wherever the members and the pieces end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(small.length), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
        async (cuts, chunk) => {
          const edges = [0, ...cuts.sort((a, b) => a - b), small.length];
          const members = edges.slice(1).map((end, i) => gzipSync(small.subarray(edges[i], end)));
          const read = await readBytes(Buffer.concat(members), { chunk });
          assert.deepEqual(read.packets, await plain(small));
          assert.deepEqual(read.warnings, []);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('is read whole where a member ends around the edge of a slice', async () => {
    const expected = await plain(large);
    for (let shift = -20; shift <= 20; shift += 1) {
      const stored = (length: number): Buffer => gzipSync(large.subarray(0, length), { level: 0 });
      let cut = 2 * SLICE + shift;
      while (stored(cut).length > 2 * SLICE + shift) cut -= 1;
      const first = stored(cut);
      assert.equal(first.length, 2 * SLICE + shift);
      const read = await readBytes(Buffer.concat([first, gzipSync(large.subarray(cut))]));
      assert.equal(read.packets.length, expected.length, `shifted by ${shift}`);
      assert.deepEqual(read.packets.at(-1), expected.at(-1));
      assert.deepEqual(read.warnings, []);
    }
  });

  test('with a file name, a comment, extra data and a header checksum is read', async () => {
    assert.deepEqual((await readBytes(memberWithName(small, 50))).packets, await plain(small));
    const member = gzipSync(small);
    const head = Buffer.from(member.subarray(0, 10));
    head[3] = 2 | 4 | 8 | 16;
    const fields = Buffer.concat([
      Buffer.from([3, 0, 1, 2, 3]),
      Buffer.from('name\0'),
      Buffer.from('comment\0'),
      Buffer.alloc(2, 0x77),
    ]);
    const dressed = Buffer.concat([head, fields, member.subarray(10)]);
    for (const chunk of [1, Infinity])
      assert.deepEqual((await readBytes(dressed, { chunk })).packets, await plain(small));
  });

  test('padded with zeros, as tapes and block devices do, is whole', async () => {
    for (const zeros of [1, 7, 512, SLICE, 3 * SLICE + 5]) {
      for (const chunk of [17, SLICE, Infinity]) {
        if (zeros > 1000 && chunk === 17) continue;
        const read = await readBytes(Buffer.concat([gzipSync(small), Buffer.alloc(zeros)]), { chunk });
        assert.equal(read.packets.length, 40);
        assert.deepEqual(read.warnings, []);
      }
    }
  });

  test('followed by something else keeps its packets', async () => {
    for (const garbage of ['garbage that is no gzip', '\x1f\x8bXX', 'x', 'P'.repeat(100_000)]) {
      for (const chunk of [5, Infinity]) {
        if (garbage.length > 1000 && chunk === 5) continue;
        const read = await readBytes(Buffer.concat([gzipSync(small), Buffer.from(garbage)]), { chunk });
        assert.equal(read.packets.length, 40, JSON.stringify(garbage.slice(0, 30)));
        const kinds = read.warnings.map(({ kind }) => kind);
        assert.equal(kinds.length, 1);
        assert.ok(
          kinds.every((kind) => kind === 'trailing-bytes' || breakingKinds.has(kind)),
          kinds.join(),
        );
      }
    }
  });

  test('tells how many compressed bytes it took, and frees the file', async () => {
    const zipped = gzipSync(large);
    const bytes = memoryReader(zipped, { chunk: 1000 });
    const reader = await openCapture(bytes, 'test.pcap.gz');
    let before = 0;
    while (await reader.fill()) {
      while (reader.advance());
      assert.ok(reader.consumed >= before && reader.consumed <= zipped.length);
      before = reader.consumed;
    }
    assert.equal(reader.consumed, zipped.length);
    await reader.close();
    await reader.close();
    assert.ok(bytes.closed >= 1);
  });

  test('is given up in the middle without a trace', async () => {
    const bytes = memoryReader(gzipSync(large), { chunk: 1000 });
    const reader = await openCapture(bytes, 'test.pcap.gz');
    while (!reader.advance()) assert.equal(await reader.fill(), true);
    await reader.close();
    assert.equal(bytes.closed, 1);
  });

  test('whose reading fails hands the failure on as it is', async () => {
    const error = new Failure('read-failed', { path: 'p', reason: 'r' });
    const bytes = memoryReader(gzipSync(large), { chunk: 10_000, failure: { at: 100_000, error } });
    await assert.rejects(readFromReader(bytes), error);
    assert.equal(bytes.closed, 1);
  });
});

async function readFromReader(bytes: ReturnType<typeof memoryReader>): Promise<ReadCapture> {
  return drain(await openCapture(bytes, 'test.pcap.gz'));
}

/** What can be inflated of a cut gzip file: the packets in it, and whether any byte of a further one is there. */
async function upToCut(cut: Buffer): Promise<ReadCapture | null> {
  const bytes = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
  return bytes.length < 24 ? null : readBytes(bytes);
}

describe('a cut-off gzip capture', () => {
  for (const [name, file, step] of [
    ['small, at every byte', small, 1],
    ['large, at every 9,409th byte', large, 97 * 97],
  ] as const) {
    test(`gives all that can be inflated before the cut (${name})`, async () => {
      const zipped = gzipSync(file);
      const whole = await plain(file);
      for (let length = 12; length < zipped.length; length += step) {
        const cut = Buffer.from(zipped.subarray(0, length));
        const expected = await upToCut(cut);
        for (const chunk of [11, Infinity]) {
          if (file === large && chunk === 11) continue;
          if (expected === null) {
            await assert.rejects(readBytes(cut, { chunk }), { code: 'compression-damaged' });
            continue;
          }
          const read = await readBytes(cut, { chunk });
          assert.equal(read.packets.length, expected.packets.length, `cut at ${length}`);
          assert.deepEqual(read.packets, whole.slice(0, read.packets.length));
          assert.deepEqual(
            read.warnings.map(({ kind, count }) => ({ kind, count })),
            [{ kind: 'cut-off-compression', count: 1 }],
          );
          const border =
            read.packets.length === whole.length ? file.length : pcapRecordOffset(file, read.packets.length);
          assert.equal(read.warnings[0]?.offset, border);
        }
      }
    });
  }

  test('at every 97th byte of one with stored blocks', async () => {
    const zipped = gzipSync(small, { level: 0 });
    for (let length = 97; length < zipped.length; length += 97) {
      const cut = Buffer.from(zipped.subarray(0, length));
      const expected = await upToCut(cut);
      assert.equal((await readBytes(cut)).packets.length, expected?.packets.length);
    }
  });

  test('in the header of a further member keeps the members before', async () => {
    const members = Buffer.concat([gzipSync(small), gzipSync(captureOf([60]).subarray(24)).subarray(0, 5)]);
    const read = await readBytes(members);
    assert.equal(read.packets.length, 40);
    assert.deepEqual(
      read.warnings.map(({ kind }) => kind),
      ['cut-off-compression'],
    );
  });
});

describe('a damaged gzip capture', () => {
  const damagedKinds = (read: ReadCapture): string[] => read.warnings.map(({ kind }) => kind);

  test('with a wrong checksum at its end keeps its packets, and says so', async () => {
    for (const file of [small, large]) {
      for (const at of [8, 4]) {
        const zipped = gzipSync(file);
        zipped[zipped.length - at] = zipped[zipped.length - at]! ^ 0x10;
        for (const chunk of [1000, Infinity]) {
          const read = await readBytes(zipped, { chunk });
          assert.deepEqual(read.packets, await plain(file));
          assert.deepEqual(damagedKinds(read), ['damaged-compression']);
        }
      }
    }
  });

  test('gives everything before the damage, when a later member is broken', async () => {
    const half = pcapRecordOffset(small, 20);
    const broken = gzipSync(small.subarray(half));
    broken[10] = 0b111; // the last block, of the type that does not exist
    for (const chunk of [1, 13, Infinity]) {
      const read = await readBytes(Buffer.concat([gzipSync(small.subarray(0, half)), broken]), { chunk });
      assert.deepEqual(read.packets, (await plain(small)).slice(0, 20));
      assert.deepEqual(damagedKinds(read), ['damaged-compression']);
      assert.equal(read.warnings[0]?.offset, half);
    }
  });

  /** One member whose second block has the type that does not exist. */
  function brokenWithin(before: Buffer): Buffer {
    const head = gzipSync(Buffer.alloc(0)).subarray(0, 10);
    const body = deflateRawSync(before, { finishFlush: constants.Z_SYNC_FLUSH });
    return Buffer.concat([head, body, Buffer.from([0b111]), Buffer.alloc(40, 0xff)]);
  }

  test('gives everything before a broken block, where that arrived before', async () => {
    const half = pcapRecordOffset(small, 20);
    const read = await readBytes(brokenWithin(small.subarray(0, half)), { chunk: 1 });
    assert.deepEqual(read.packets, (await plain(small)).slice(0, 20));
    assert.deepEqual(damagedKinds(read), ['damaged-compression']);
    assert.equal(read.warnings[0]?.offset, half);
  });

  test('gives at least what is in the slices before that of a broken block', async () => {
    const broken = brokenWithin(large.subarray(0, pcapRecordOffset(large, 200)));
    const before = broken.subarray(0, Math.floor((broken.length - 41) / SLICE) * SLICE);
    const least = (await readBytes(before)).packets.length;
    assert.ok(least > 50);
    const { packets, warnings } = await readBytes(broken);
    assert.ok(packets.length >= least);
    assert.deepEqual(packets, (await plain(large)).slice(0, packets.length));
    assert.equal(warnings[0]?.kind, 'damaged-compression');
  });

  test('is never taken for whole, and never crashes, wherever a bit is flipped', async () => {
    const zipped = gzipSync(small);
    const whole = await plain(small);
    for (let at = 10; at < zipped.length; at += 23) {
      const damaged = Buffer.from(zipped);
      damaged[at] = damaged[at]! ^ 0x40;
      let read: ReadCapture;
      try {
        read = await readBytes(damaged);
      } catch (thrown) {
        // The capture's own header was hit, or nothing came before the damage.
        assert.ok(thrown instanceof Failure, String(thrown));
        continue;
      }
      assert.ok(
        read.warnings.some(({ kind }) => breakingKinds.has(kind)),
        `flipped at ${at}: ${read.packets.length} of ${whole.length} packets without a word`,
      );
    }
  });

  test('names the file and the place in it', async () => {
    const zipped = Buffer.concat([gzipSync(captureOf([60])), gzipSync(Buffer.alloc(9)).fill(0xff, 10)]);
    const read = await readBytes(zipped, { chunk: 64 });
    assert.match(read.warnings[0]!.message, /test\.pcap/);
    assert.match(read.warnings[0]!.message, /byte \d+/);
  });
});

test('data that expand a thousandfold are inflated with bounded memory', async () => {
  const zeros = gzipSync(Buffer.concat([captureOf([]), Buffer.alloc(64 * 1024 * 1024)]));
  assert.ok(zeros.length < 100_000);
  const reader = await openCapture(memoryReader(zeros, { chunk: 4096 }), 'bomb.pcap.gz');
  let packets = 0;
  let [fills, most] = [0, 0];
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  do {
    while (reader.advance()) packets += 1;
    fills += 1;
    if (fills % 50 !== 0) continue;
    collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  } while (await reader.fill());
  await reader.close();
  assert.equal(packets, 4 * 1024 * 1024);
  assert.ok(fills > 200, `${fills} fills`);
  assert.ok(most < 8 * 1024 * 1024, `${most} bytes`);
});
