/** What every reader of bytes promises, whatever stands behind it. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { readFully, type ByteReader } from '@capfleet/shared/capture/byte-reader';
import { createPrng } from '../../support/prng.ts';

export interface ByteReaderCase {
  name: string;
  /** A reader of exactly these bytes, and how many bytes of the file it takes to give them. */
  open: (bytes: Buffer, t: TestContext) => Promise<{ reader: ByteReader; fileSize: number }>;
}

const SIZES = [0, 1, 23, 24, 4096, 65_536, 65_537, 1_000_003];

async function readAll(reader: ByteReader, length: () => number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const target = Buffer.alloc(length());
    const count = await reader.read(target, 0, target.length);
    if (count === 0) return Buffer.concat(parts);
    parts.push(target.subarray(0, count));
  }
}

export function byteReaderContract({ name, open }: ByteReaderCase): void {
  describe(`a byte reader (${name})`, () => {
    for (const size of SIZES) {
      test(`gives ${size} bytes in order, whatever is asked for at a time`, async (t) => {
        const prng = createPrng(size);
        const bytes = prng.fill(Buffer.alloc(size));
        const lengths = [() => 1, () => 17, () => prng.between(1, 5000), () => 300_000];
        for (const [index, length] of lengths.entries()) {
          if (size > 50_000 && index < 2) continue;
          const { reader } = await open(bytes, t);
          assert.ok((await readAll(reader, length)).equals(bytes));
          await reader.close();
        }
      });
    }

    test('writes where it is told to, no further, and never more than asked', async (t) => {
      const bytes = createPrng(1).fill(Buffer.alloc(5000));
      const { reader } = await open(bytes, t);
      let position = 0;
      for (;;) {
        const target = Buffer.alloc(200, 0xaa);
        const count = await reader.read(target, 50, 77);
        assert.ok(count <= 77);
        assert.ok(target.subarray(50, 50 + count).equals(bytes.subarray(position, position + count)));
        assert.ok(target.subarray(0, 50).every((byte) => byte === 0xaa));
        assert.ok(target.subarray(50 + count).every((byte) => byte === 0xaa));
        position += count;
        if (count === 0) break;
      }
      assert.equal(position, bytes.length);
      await reader.close();
    });

    test('gives 0 at the end, again and again', async (t) => {
      const { reader } = await open(Buffer.from('abc'), t);
      const target = Buffer.alloc(10);
      assert.equal(await readFully(reader, target), 3);
      for (let i = 0; i < 3; i += 1) assert.equal(await reader.read(target, 0, 10), 0);
      await reader.close();
    });

    test('tells what it took from the file: nothing at first, upwards, all of it at the end', async (t) => {
      const bytes = createPrng(2).fill(Buffer.alloc(300_000));
      const { reader, fileSize } = await open(bytes, t);
      const target = Buffer.alloc(10_000);
      let before = reader.consumed;
      assert.ok(before <= 10, `${before} bytes before the first read`);
      while ((await reader.read(target, 0, target.length)) > 0) {
        assert.ok(reader.consumed >= before && reader.consumed <= fileSize);
        before = reader.consumed;
      }
      assert.equal(reader.consumed, fileSize);
      await reader.close();
    });

    test('can be closed while a read is under way', async (t) => {
      const { reader } = await open(Buffer.alloc(100_000, 7), t);
      const target = Buffer.alloc(1000);
      await reader.read(target, 0, target.length);
      reader.read(target, 0, target.length).catch(() => undefined);
      await reader.close();
    });

    test('can be closed twice, at the end, in the middle and before the first read', async (t) => {
      for (const reads of [0, 1, 1000]) {
        const { reader } = await open(Buffer.alloc(100_000, 7), t);
        const target = Buffer.alloc(1000);
        for (let i = 0; i < reads && (await reader.read(target, 0, 1000)) > 0; i += 1);
        await reader.close();
        await reader.close();
      }
    });
  });
}
