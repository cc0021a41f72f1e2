import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { deflateRawSync, zstdCompressSync, constants } from 'node:zlib';
import { readFully } from '@capfleet/shared/capture/byte-reader';
import { decompress, type Compression } from '@capfleet/shared/capture/decompress';
import { Failure } from '@capfleet/shared/errors/failure';
import { collectGarbage } from '../../../support/collect-garbage.ts';
import { bzip2Stream } from '../../../support/bzip2-writer.ts';
import { gzipMember, lz4Frame, skippableFrame, xzStream, zstdFrame } from '../../../support/compress.ts';
import { memoryReader } from '../../../support/memory-reader.ts';
import { pcapRecordOffset } from '../../../support/pcap-writer.ts';
import { createPrng } from '../../../support/prng.ts';
import { captureOf, readBytes } from '../../../support/read-capture.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const CHUNKS = [1, 7, 1000, Infinity];
const small = captureOf(Array.from({ length: 40 }, (_, i) => (i * 37) % 300));
const prng = createPrng(3);
/** Several blocks of any codec but the largest of lz4, half of it random. */
const large = Buffer.concat(
  Array.from({ length: 30 }, (_, i) => (i % 2 ? prng.fill(Buffer.alloc(10_000)) : Buffer.alloc(10_000, i))),
);

interface Codec {
  name: Compression;
  compress: (bytes: Buffer) => Buffer | Promise<Buffer>;
  /** Whether other bytes behind the last part are passed over. */
  toleratesRest: boolean;
}

const CODECS: readonly Codec[] = [
  { name: 'gzip', compress: gzipMember, toleratesRest: true },
  { name: 'zstd', compress: zstdFrame, toleratesRest: true },
  { name: 'lz4', compress: (bytes) => lz4Frame(bytes, { dependent: true }), toleratesRest: true },
  { name: 'xz', compress: xzStream, toleratesRest: false },
  { name: 'bzip2', compress: (bytes) => bzip2Stream(bytes), toleratesRest: true },
];

/** All that comes out, and the failure that followed. */
async function outcome(
  bytes: Buffer,
  chunk = Infinity,
): Promise<{ compression: Compression; plain: Buffer; failure: Failure | null }> {
  const { compression, bytes: reader } = await decompress(memoryReader(bytes, { chunk }), 'f');
  const parts: Buffer[] = [];
  try {
    for (;;) {
      const part = Buffer.alloc(64 * KIB);
      const count = await reader.read(part, 0, part.length);
      if (count === 0) return { compression, plain: Buffer.concat(parts), failure: null };
      parts.push(part.subarray(0, count));
    }
  } catch (thrown) {
    assert.ok(thrown instanceof Failure && thrown.code === 'compression-damaged', String(thrown));
    return { compression, plain: Buffer.concat(parts), failure: thrown };
  } finally {
    await reader.close();
  }
}

for (const { name, compress, toleratesRest } of CODECS) {
  describe(name, () => {
    test('gives what was compressed, however it arrives', async () => {
      const packed = await compress(small);
      for (const chunk of CHUNKS) {
        const read = await readBytes(packed, { chunk });
        assert.deepEqual({ ...read, info: null }, { ...(await readBytes(small)), info: null });
        assert.equal(read.info.compression, name);
      }
    });

    test('gives many blocks whole', async () => {
      const { plain, failure } = await outcome(
        await compress(name === 'bzip2' ? large.subarray(0, 30_000) : large),
        4093,
      );
      assert.equal(failure, null);
      assert.ok(plain.equals(name === 'bzip2' ? large.subarray(0, 30_000) : large));
    });

    test('of several parts gives them as one', async () => {
      const cut = pcapRecordOffset(small, 20) + 5;
      const parts = [small.subarray(0, cut), Buffer.alloc(0), small.subarray(cut)];
      const packedParts: Buffer[] = [];
      for (const part of parts) packedParts.push(await compress(part));
      const packed = Buffer.concat(packedParts);
      for (const chunk of CHUNKS) {
        const { plain, failure } = await outcome(packed, chunk);
        assert.equal(failure, null);
        assert.ok(plain.equals(small));
      }
    });

    test('followed by something else gives all before it', async () => {
      const packed = await compress(small);
      for (const rest of [Buffer.alloc(512), Buffer.from('what is no part of it, and long enough to see')]) {
        const { plain, failure } = await outcome(Buffer.concat([packed, rest]));
        assert.ok(plain.equals(small));
        const isPadding = rest[0] === 0;
        if (toleratesRest) assert.equal(failure?.fields['kind'], isPadding ? undefined : 'trailing');
      }
    });

    test('cut anywhere gives what came before, and is told as cut', async () => {
      const packed = await compress(small);
      for (let length = 7; length < packed.length; length += 13) {
        for (const chunk of [5, Infinity]) {
          const { plain, failure } = await outcome(packed.subarray(0, length), chunk);
          assert.equal(failure?.fields['kind'], 'cut', `cut at ${length}`);
          assert.ok(plain.equals(small.subarray(0, plain.length)));
          assert.match(failure.message, /byte \d+/);
        }
      }
    });

    test('is never taken for whole where a bit is flipped, and never crashes', async () => {
      const packed = await compress(small);
      for (let at = 6; at < packed.length; at += 29) {
        const damaged = Buffer.from(packed);
        damaged[at]! ^= 0x10;
        const { plain, failure } = await outcome(damaged);
        if (plain.equals(small)) continue; // A bit that says nothing.
        assert.ok(failure, `flipped at ${at}: ${plain.length} bytes without a word`);
      }
    });

    test('can be closed while it is read', async () => {
      const source = memoryReader(await compress(small), { chunk: 50 });
      const { bytes } = await decompress(source, 'f');
      const reading = bytes.read(Buffer.alloc(100), 0, 100).catch(() => undefined);
      await bytes.close();
      await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 100))]);
      assert.ok(source.closed >= 1);
    });
  });
}

describe('zstd', () => {
  test('and lz4 pass over frames without data, also at their begin', async () => {
    const skipped = skippableFrame(Buffer.alloc(70_000, 1), 7);
    for (const compress of [zstdFrame, lz4Frame]) {
      const packed = compress(small);
      for (const parts of [
        [skipped, packed],
        [packed, skipped, packed],
        [packed, skipped],
        [skipped, skipped, packed, skipped],
      ]) {
        const { plain, failure } = await outcome(Buffer.concat(parts), 999);
        assert.equal(failure, null);
        const times = parts.filter((part) => part === packed).length;
        assert.ok(plain.equals(Buffer.concat(Array.from({ length: times }, () => small))));
      }
    }
  });

  test('keeps every block before one that is damaged', async () => {
    const packed = zstdFrame(large);
    const { plain } = await outcome(packed.subarray(0, packed.length - 10));
    assert.ok(plain.length >= large.length - 2 * 128 * KIB);
    for (const chunk of CHUNKS) {
      const again = await outcome(packed.subarray(0, packed.length - 10), chunk);
      assert.equal(again.plain.length, plain.length, 'the same however it arrives');
    }
  });

  test('that needs a window of 2 GiB is refused', async () => {
    const frame = Buffer.from('28b52ffd00a80100000000', 'hex');
    const { failure } = await outcome(frame);
    assert.match(failure!.message, /window of 2048 MiB, the limit is 128 MiB/);
  });

  test('of a long window within the limit is read', async () => {
    const packed = zstdCompressSync(large, { params: { [constants.ZSTD_c_windowLog]: 27 } });
    assert.ok((await outcome(packed)).plain.equals(large));
  });
});

describe('lz4', () => {
  test('of every block size and option is read', async () => {
    for (const blockCode of [4, 5, 6, 7] as const) {
      for (const dependent of [true, false]) {
        for (const flag of [true, false]) {
          const options = { blockChecksums: flag, contentChecksum: !flag, contentSize: flag, stored: !flag };
          const { plain, failure } = await outcome(lz4Frame(large, { blockCode, dependent, ...options }));
          assert.equal(failure, null);
          assert.ok(plain.equals(large));
        }
      }
    }
  });

  test('names a wrong checksum, a dictionary, an unknown version and block size', async () => {
    const broken = (at: number, change: (byte: number) => number): Buffer => {
      const frame = Buffer.from(lz4Frame(small, { blockChecksums: true }));
      frame[at < 0 ? frame.length + at : at] = change(frame.at(at)!);
      return frame;
    };
    for (const [frame, reason] of [
      [broken(-1, (byte) => byte ^ 1), /content checksum/],
      [broken(6, (byte) => byte ^ 1), /frame header/],
      [broken(4, (byte) => byte | 1), /dictionary/],
      [broken(4, (byte) => byte & 0x3f), /version 0/],
      [broken(5, () => 0x30), /block size 3/],
      [broken(20, (byte) => byte ^ 1), /checksum of a block/],
    ] as const) {
      assert.match((await outcome(frame)).failure!.message, reason);
    }
  });
});

describe('bzip2', () => {
  test('undoes runs of every length', async () => {
    const runs = Array.from({ length: 300 }, (_, length) => Buffer.alloc(length, length % 3));
    const bytes = Buffer.concat(runs.slice(0, 80).concat(runs.slice(250, 262)));
    const { plain, failure } = await outcome(bzip2Stream(bytes, 1, 700));
    assert.equal(failure, null);
    assert.ok(plain.equals(bytes));
  });

  for (const [program, args] of [
    ['bzip2', ['-1', '-c']],
    ['bzip2', ['-9', '-c']],
    ['lz4', ['-c']],
    ['lz4', ['-9', '-BD', '-B4', '-c']],
    ['zstd', ['-19', '-c']],
    ['xz', ['-0', '-c']],
  ] as const) {
    const found = spawnSync(program, ['--version']).error === undefined;
    const skip = !found && `${program} is not installed`;
    test(`and all others read what programs write (${program} ${args.join(' ')})`, { skip }, async () => {
      const bytes = Buffer.concat([large, large, Buffer.alloc(700_000, 5)]);
      const { stdout } = spawnSync(program, args, { input: bytes, maxBuffer: 64 * MIB });
      const { plain, failure } = await outcome(stdout);
      assert.equal(failure, null);
      assert.ok(plain.equals(bytes));
    });
  }
});

describe('data that expand beyond measure', () => {
  const zeros = Buffer.alloc(64 * MIB);
  for (const [name, bomb] of [
    [
      'gzip',
      () =>
        Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), deflateRawSync(zeros), Buffer.alloc(8)]),
    ],
    ['zstd', () => zstdFrame(zeros)],
    ['lz4', () => lz4Frame(zeros, { blockCode: 7 })],
    ['xz', () => xzStream(zeros)],
  ] as const) {
    test(`are read with bounded memory (${name})`, async () => {
      const packed = await bomb();
      const { bytes } = await decompress(memoryReader(packed), 'bomb');
      const target = Buffer.alloc(64 * KIB);
      collectGarbage();
      const before = process.memoryUsage().arrayBuffers;
      let [most, length, reads] = [0, 0, 0];
      try {
        for (;;) {
          const count = await readFully(bytes, target);
          if (count === 0) break;
          length += count;
          reads += 1;
          if (reads % 32 !== 0) continue;
          collectGarbage();
          most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        }
      } catch (thrown) {
        // The gzip one has a checksum of zeros.
        assert.ok(thrown instanceof Failure);
      }
      await bytes.close();
      assert.equal(length, zeros.length);
      assert.ok(most < 16 * MIB, `${most} bytes`);
    });
  }
});

test('zstd gives the sound blocks before a cut or damage, also those that are not compressed', async () => {
  const block = 128 * KIB;
  const plain = prng.fill(Buffer.alloc(3 * block));
  const packed = zstdCompressSync(plain);
  // Raw blocks: each stands as it is behind a header of three bytes.
  for (const [what, bytes] of [
    ['cut in the second block', packed.subarray(0, packed.indexOf(plain.subarray(block, block + 32)) + 5)],
    ['cut between two blocks', packed.subarray(0, packed.indexOf(plain.subarray(block, block + 32)) - 3)],
    ['cut in a header', packed.subarray(0, packed.indexOf(plain.subarray(block, block + 32)) - 1)],
  ] as const) {
    const { plain: given, failure } = await outcome(bytes);
    assert.ok(failure, what);
    assert.ok(given.equals(plain.subarray(0, block)), `${what}: ${given.length} bytes`);
  }
});

describe('what follows compressed data', () => {
  for (const { name, compress, toleratesRest } of CODECS.filter((codec) => codec.toleratesRest)) {
    test(`of ${name} is passed over where it is padding, and told where it is not`, async () => {
      assert.ok(toleratesRest);
      const packed = await compress(captureOf([60, 100]));
      const padded = await readBytes(Buffer.concat([packed, Buffer.alloc(512)]));
      assert.deepEqual([padded.packets.length, padded.warnings], [2, []]);
      for (const rest of [Buffer.from('ju'), Buffer.from('junk that is longer'), captureOf([60])]) {
        const read = await readBytes(Buffer.concat([packed, rest]));
        assert.equal(read.packets.length, 2);
        assert.deepEqual(
          read.warnings.map(({ kind }) => kind),
          ['trailing-bytes'],
        );
        assert.match(read.warnings[0]?.message ?? '', /other bytes follow/);
      }
    });
  }
});
