import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { MAX_CAPTURED_BYTES } from '@capfleet/shared/capture/packet-bounds';
import { MAX_INTERFACES } from '@capfleet/shared/capture/pcapng-interfaces';
import { Failure } from '@capfleet/shared/errors/failure';
import { memoryReader } from '../../../support/memory-reader.ts';
import { patterned } from '../../../support/patterned.ts';
import { BLOCK, blocks, OTHER_BLOCKS, type ByteOrder } from '../../../support/pcapng-writer.ts';
import { readBytes, type CapturedPacket, type ReadCapture } from '../../../support/read-capture.ts';

const CHUNKS = [1, 3, 7, 64, 4096, Infinity];
const MIB = 1024 * 1024;
const T = 1_600_000_000_000_000n;
const ORDERS: readonly ByteOrder[] = ['le', 'be'];

function packetAt(stamp: bigint, length: number): CapturedPacket {
  return { time: stamp * 1000n, data: patterned(length, length), wireLength: length };
}

/** Reads the blocks cut into pieces of each size, which must make no difference. */
async function read(parts: readonly Buffer[], chunks: readonly number[] = CHUNKS): Promise<ReadCapture> {
  const file = Buffer.concat(parts);
  const whole = await readBytes(file);
  for (const chunk of chunks)
    assert.deepEqual(await readBytes(file, { chunk }), whole, `in pieces of ${chunk}`);
  return whole;
}

function kinds({ warnings }: ReadCapture): { kind: string; offset: number }[] {
  return warnings.map(({ kind, offset }) => ({ kind, offset }));
}

const sizeOf = (parts: readonly Buffer[]): number => parts.reduce((sum, part) => sum + part.length, 0);

for (const order of ORDERS) {
  const b = blocks(order);
  const data = (length: number): Buffer => patterned(length, length);
  const packet = (stamp: bigint, length: number): Buffer => b.enhanced({ stamp, data: data(length) });
  const head = [b.section(), b.interface()];

  describe(`a pcapng capture (${order})`, () => {
    test('gives the packets of enhanced and obsolete blocks, options and padding passed over', async () => {
      const comment = { code: 1, value: Buffer.from('a comment') };
      const { packets, info, warnings } = await read([
        ...head,
        packet(T, 60),
        b.enhanced({ stamp: T + 1n, data: data(61), options: [comment] }),
        b.obsolete({ stamp: T + 2n, data: data(62) }),
        b.enhanced({ stamp: T + 3n, data: data(0), wireLength: 1500 }),
      ]);
      assert.deepEqual(packets, [
        packetAt(T, 60),
        packetAt(T + 1n, 61),
        packetAt(T + 2n, 62),
        { ...packetAt(T + 3n, 0), wireLength: 1500 },
      ]);
      assert.deepEqual(warnings, []);
      assert.deepEqual(info, {
        format: 'pcapng',
        compression: 'none',
        byteOrder: order === 'le' ? 'little' : 'big',
        resolution: 'us',
        snaplen: 0,
        linkTypes: [1],
      });
    });

    test('counts each interface in its own unit, from its own offset, and keeps its link type', async () => {
      const { packets, info } = await read([
        b.section(),
        b.interface({ resolution: 9, snaplen: 100 }),
        b.interface({ resolution: 3, offset: -3600n, linkType: 113, snaplen: 200 }),
        b.interface({ resolution: 0x80 + 8, linkType: 1, snaplen: 50 }),
        b.enhanced({ stamp: 1_700_000_000_123_456_789n, data: data(8) }),
        b.enhanced({ interface: 1, stamp: 1_700_000_003_999n, data: data(9) }),
        b.enhanced({ interface: 2, stamp: 5n * 256n + 64n, data: data(10) }),
        b.enhanced({ interface: 1, stamp: 0n, data: data(11) }),
      ]);
      assert.deepEqual(
        packets.map(({ time, linkType }) => [time, linkType]),
        [
          [1_700_000_000_123_456_789n, undefined],
          [1_699_996_403_999_000_000n, 113],
          [5_250_000_000n, undefined],
          [-3_600_000_000_000n, 113],
        ],
      );
      assert.deepEqual([info.resolution, info.snaplen, info.linkTypes], ['mixed', 200, [1, 113]]);
    });

    test('gives packets of simple blocks without a stamp, cut to the snaplen of the first interface', async () => {
      const { packets, warnings } = await read([
        b.section(),
        b.interface({ snaplen: 40 }),
        b.interface({ snaplen: 10, linkType: 113 }),
        b.simple(data(30)),
        packet(T, 20),
        b.simple(data(40), 1500),
        b.simple(data(0), 0),
      ]);
      assert.deepEqual(warnings, []);
      assert.deepEqual(
        packets.map(({ time, data: bytes, wireLength, untimed }) => [
          time,
          bytes.length,
          wireLength,
          untimed,
        ]),
        [
          [0n, 30, 30, true],
          [T * 1000n, 20, 20, undefined],
          [T * 1000n, 40, 1500, true],
          [T * 1000n, 0, 0, true],
        ],
      );
    });

    test('passes over blocks that hold no packet, whatever is in them', async () => {
      const parts = [...head];
      for (const [index, type] of OTHER_BLOCKS.entries()) {
        parts.push(b.block(type, Buffer.alloc(4 * index, 0xee)), packet(T + BigInt(index), 10 + index));
      }
      const { packets, warnings } = await read(parts);
      assert.deepEqual(
        packets,
        OTHER_BLOCKS.map((_, index) => packetAt(T + BigInt(index), 10 + index)),
      );
      assert.deepEqual(warnings, []);
    });

    test('begins anew with each section, in its own byte order', async () => {
      const other = blocks(order === 'le' ? 'be' : 'le');
      const { packets, info, warnings } = await read([
        ...head,
        b.interface({ linkType: 113 }),
        packet(T, 60),
        other.section(),
        other.interface({ resolution: 9, linkType: 276 }),
        other.enhanced({ stamp: (T + 1n) * 1000n, data: data(61) }),
        b.section(),
        b.interface(),
        packet(T + 2n, 62),
      ]);
      assert.deepEqual(packets, [
        packetAt(T, 60),
        { ...packetAt(T + 1n, 61), linkType: 276 },
        packetAt(T + 2n, 62),
      ]);
      assert.deepEqual([info.byteOrder, info.resolution, info.linkTypes], ['mixed', 'mixed', [1, 113, 276]]);
      assert.deepEqual(warnings, []);
    });

    test('without packets, or interfaces, is one', async () => {
      assert.deepEqual((await read(head)).packets, []);
      const { info, packets, warnings } = await read([b.section()]);
      assert.deepEqual([info.linkTypes, info.resolution, packets, warnings], [[], 'us', [], []]);
    });

    test('is opened with its interfaces known, and says more as it is read', async () => {
      const file = Buffer.concat([...head, packet(T, 60), b.interface({ linkType: 113 }), packet(T, 60)]);
      const reader = await openCapture(memoryReader(file), 'test.pcapng');
      assert.deepEqual(reader.info.linkTypes, [1]);
      do while (reader.advance());
      while (await reader.fill());
      assert.deepEqual(reader.info.linkTypes, [1, 113]);
      await reader.close();
    });

    test('cut at any byte gives the packets before the cut and tells the place', async () => {
      const parts = [...head, packet(T, 21), b.block(5, Buffer.alloc(40)), b.simple(data(7)), packet(T, 2)];
      const file = Buffer.concat(parts);
      const ends = parts.map((_, index) => sizeOf(parts.slice(0, index + 1)));
      const first = parts[0]!.length;
      for (let length = 0; length < file.length; length += 1) {
        const cut = file.subarray(0, length);
        if (length < first) {
          const code = length === 0 ? 'capture-empty' : 'capture-too-short';
          await assert.rejects(readBytes(cut), { code }, `cut at ${length}`);
          continue;
        }
        const begin = ends.findLast((end) => end <= length)!;
        const whole = [2, 4, 5].filter((index) => ends[index]! <= length).length;
        for (const chunk of [1, 5, Infinity]) {
          const found = await readBytes(cut, { chunk });
          assert.equal(found.packets.length, whole, `cut at ${length}`);
          const expected = begin === length ? [] : [{ kind: 'cut-off-record', offset: begin }];
          assert.deepEqual(kinds(found), expected, `cut at ${length}`);
          for (const { message } of found.warnings)
            assert.match(message, new RegExp(`\\b${length - begin} of \\d+ bytes`));
        }
      }
    });

    test('passes over a block of 64 MiB without holding it', async () => {
      const file = Buffer.concat([
        ...head,
        packet(T, 60),
        b.block(0x0bad, Buffer.alloc(64 * MIB)),
        packet(T, 61),
      ]);
      const reader = await openCapture(memoryReader(file), 'test.pcapng');
      const before = process.memoryUsage().arrayBuffers;
      let most = 0;
      let packets = 0;
      do {
        while (reader.advance()) packets += 1;
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      } while (await reader.fill());
      assert.equal(packets, 2);
      assert.ok(most < 2 * MIB, `${most} bytes`);
      assert.deepEqual(reader.warnings(), []);
      await reader.close();
    });

    test('keeps a packet with more captured bytes than it had on the wire, and a stamp out of range', async () => {
      const { packets, warnings } = await read([
        b.section(),
        b.interface({ resolution: 0 }),
        b.enhanced({ stamp: 7n, data: data(10), wireLength: 9 }),
        b.enhanced({ stamp: 2n ** 64n - 1n, data: data(11) }),
      ]);
      assert.deepEqual(
        packets.map(({ time, untimed }) => [time, untimed]),
        [
          [7_000_000_000n, undefined],
          [7_000_000_000n, true],
        ],
      );
      assert.deepEqual(
        warnings.map(({ kind }) => kind),
        ['captured-longer-than-wire', 'stamp-out-of-range'],
      );
    });
  });

  describe(`a damaged pcapng capture (${order})`, () => {
    const before = [...head, packet(T, 60)];
    const offset = sizeOf(before);
    const options = { code: 2, value: Buffer.from('text'), length: 500 };
    const tooMany = Buffer.concat(Array.from({ length: MAX_INTERFACES }, () => b.interface()));
    const cases: [what: string, block: Buffer, kind: string, at?: number][] = [
      ['a block shorter than any', b.block(5, Buffer.alloc(0), { first: 8 }), 'block-damaged'],
      ['a block whose length is no multiple of four', b.block(5, Buffer.alloc(5)), 'block-damaged'],
      ['a block of four GiB', b.block(5, Buffer.alloc(8), { first: 0xffff_fffc }), 'cut-off-record'],
      ['two lengths that differ', b.block(5, Buffer.alloc(8), { second: 24 }), 'block-damaged'],
      [
        'two lengths of a packet that differ',
        b.block(BLOCK.enhanced, Buffer.alloc(20), { second: 36 }),
        'block-damaged',
      ],
      [
        'a packet block of four GiB',
        b.block(BLOCK.enhanced, Buffer.alloc(20), { first: 0xffff_fffc }),
        'record-too-long',
      ],
      ['a packet that is too large', packet(T, MAX_CAPTURED_BYTES + 1), 'record-too-long'],
      ['a packet larger than its block', withCaptured(order, packet(T, 8), 9), 'block-damaged'],
      [
        'a packet block without room for its header',
        b.block(BLOCK.enhanced, Buffer.alloc(16)),
        'block-damaged',
      ],
      ['a simple packet larger than its block', b.simple(data(8), 13), 'block-damaged'],
      ['an unknown interface', b.enhanced({ interface: 1, stamp: T, data: data(1) }), 'unknown-interface'],
      [
        'a simple packet without an interface',
        Buffer.concat([b.section(), b.simple(data(1))]),
        'unknown-interface',
        28,
      ],
      ['an option larger than its block', b.interface({ options: [options] }), 'block-damaged'],
      ['an interface block that is too small', b.block(BLOCK.interface, Buffer.alloc(4)), 'block-damaged'],
      [
        'an interface block of a gigabyte',
        b.block(BLOCK.interface, Buffer.alloc(8), { first: 2 ** 30 }),
        'block-damaged',
      ],
      ['more interfaces than any section has', tooMany, 'too-many-interfaces', 20 * (MAX_INTERFACES - 1)],
      ['a section of an unknown version', b.section([], [2, 0]), 'block-damaged'],
      ['a section with an option larger than it', b.section([options]), 'block-damaged'],
      [
        'a section of a gigabyte',
        b.block(BLOCK.section, b.section().subarray(8, 24), { first: 2 ** 30 }),
        'block-damaged',
      ],
      ['a section without its magic', b.block(BLOCK.section, Buffer.alloc(16)), 'block-damaged'],
      [
        'a packet without its pseudo-header',
        Buffer.concat([b.section(), b.interface({ linkType: 201 }), packet(T, 3)]),
        'record-too-short',
        48,
      ],
    ];
    for (const [what, block, kind, at = 0] of cases) {
      test(`ends at ${what}, with what came before it`, async () => {
        const found = await read([...before, block, packet(T + 1n, 10)], [7, 4096]);
        assert.deepEqual(found.packets.slice(0, 1), [packetAt(T, 60)]);
        assert.ok(found.packets.length === 1);
        assert.deepEqual(kinds(found), [{ kind, offset: offset + at }]);
      });
    }

    test('is refused where nothing can be told of it', async () => {
      for (const [bytes, reason] of [
        [b.block(BLOCK.section, b.section().subarray(8, 24), { second: 4 }), /length/],
        [b.section([options]), /option claims 500 bytes/],
        [b.section([], [2, 0]), /version 2\.0/],
        [b.block(BLOCK.section, Buffer.alloc(16)), /byte-order magic/],
      ] as const) {
        await assert.rejects(readBytes(Buffer.concat([bytes, ...head])), (thrown: unknown) => {
          assert.ok(thrown instanceof Failure);
          assert.equal(thrown.code, 'capture-damaged');
          assert.match(thrown.message, reason);
          return true;
        });
      }
    });
  });
}

/** A packet block with another captured length. */
function withCaptured(order: ByteOrder, block: Buffer, captured: number): Buffer {
  const copy = Buffer.from(block);
  if (order === 'le') copy.writeUInt32LE(captured, 20);
  else copy.writeUInt32BE(captured, 20);
  return copy;
}
