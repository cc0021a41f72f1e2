// The quick map of a pcapng is right or is not given. The truth is what the blocks were made of.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mappedFileSchema, type MappedFile } from '@capfleet/shared/dataset/file-map';
import { disk } from '@capfleet/shared/source/disk';
import { quickMap, type QuickMapOptions } from '@capfleet/mapper/quick-map';
import { countingSource } from '../../support/counting-source.ts';
import { memorySource } from '../../support/memory-source.ts';
import { pcapngBlocks, type ByteOrder, type InterfaceOptions } from '../../support/pcapng-blocks.ts';
import { createPrng } from '../../support/prng.ts';
import { nanosOf, realCaptures } from '../../support/real-captures.ts';

const PATH = '/data/a.pcapng';
const SECOND = 1_000_000_000n;
const BEGIN = 1_600_000_000n;

interface Quick {
  map: MappedFile | null;
  bytesRead: number;
}

async function quick(bytes: Uint8Array, options?: QuickMapOptions): Promise<Quick> {
  const source = memorySource();
  source.put(PATH, bytes);
  const counting = countingSource(source);
  const map = await quickMap(counting, await source.stat(PATH), options);
  if (map) assert.deepEqual(mappedFileSchema.parse(JSON.parse(JSON.stringify(map))), map);
  assert.equal(source.openReaders, 0, 'a file is left open');
  return { map, bytesRead: counting.bytesRead };
}

interface MadeOptions {
  byteOrder?: ByteOrder;
  interfaces?: InterfaceOptions[];
  /** Ticks of a second for each interface. */
  ticks?: bigint[];
  obsolete?: boolean;
  size?: number;
  /** Blocks behind the packets. */
  end?: Buffer[];
  section?: bigint;
}

interface Made {
  bytes: Buffer;
  packets: number;
  capturedBytes: number;
  /** Nanoseconds. */
  last: bigint;
}

/** Packets a millisecond apart from `BEGIN` on, in turn of all interfaces. */
function made(options: MadeOptions = {}): Made {
  const {
    byteOrder = 'le',
    interfaces = [{}],
    ticks = [1_000_000n],
    obsolete = false,
    size = 500_000,
  } = options;
  const write = pcapngBlocks(byteOrder);
  const prng = createPrng(3);
  const blocks = [write.section(options.section), ...interfaces.map((one) => write.interface(one))];
  let [packets, capturedBytes, length] = [0, 0, 0];
  while (length < size) {
    const data = prng.fill(Buffer.alloc(prng.between(60, 1514)));
    const interfaceId = packets % interfaces.length;
    const perSecond = ticks[interfaceId]!;
    const stamp =
      (BEGIN - (interfaces[interfaceId]?.offset ?? 0n)) * perSecond + (BigInt(packets) * perSecond) / 1000n;
    const block = write.packet({ interfaceId, ticks: stamp, data, obsolete });
    blocks.push(block);
    length += block.length;
    packets += 1;
    capturedBytes += data.length;
  }
  const last = BEGIN * SECOND + BigInt(packets - 1) * 1_000_000n;
  return { bytes: Buffer.concat([...blocks, ...(options.end ?? [])]), packets, capturedBytes, last };
}

const le = pcapngBlocks('le');
const lastPacket = (data: Uint8Array): Buffer => le.packet({ ticks: (BEGIN + 1000n) * 1_000_000n, data });

describe('the quick map of a pcapng', () => {
  for (const byteOrder of ['le', 'be'] as const) {
    for (const obsolete of [false, true]) {
      test(`${byteOrder}, ${obsolete ? 'of the obsolete packet blocks' : 'of enhanced packet blocks'}, says begin and end exactly and the rest about`, async () => {
        const { bytes, packets, capturedBytes, last } = made({ byteOrder, obsolete });
        const { map } = await quick(bytes);
        assert.ok(map);
        assert.deepEqual(
          [map.format, map.byteOrder, map.resolution, map.snaplen, map.linkTypes, map.estimated, map.status],
          ['pcapng', byteOrder === 'le' ? 'little' : 'big', 'us', 262_144, [1], true, 'ok'],
        );
        assert.deepEqual([map.first, map.earliest], [String(BEGIN * SECOND), String(BEGIN * SECOND)]);
        assert.deepEqual([map.last, map.latest], [String(last), String(last)]);
        assert.ok(
          Math.abs(map.packets / packets - 1) < 0.2 && Math.abs(map.capturedBytes / capturedBytes - 1) < 0.2,
        );
      });
    }
  }

  test('reads each interface by its own clock', async () => {
    const interfaces = [
      { resolution: 9, linkType: 113, snaplen: 0 },
      { resolution: 6, offset: 1_000_000n },
      { resolution: 0x80 | 20, snaplen: 96 },
      {},
    ];
    const { bytes, last, packets } = made({ interfaces, ticks: [SECOND, 1_000_000n, 1n << 20n, 1_000_000n] });
    const { map } = await quick(bytes);
    assert.deepEqual([map?.resolution, map?.linkTypes, map?.snaplen], ['mixed', [113, 1], 0]);
    // The last stamp may be one of 2^-20 s, rounded down when it was made.
    const off = last - BigInt(map?.last ?? 0);
    assert.ok(packets > 10 && off >= 0n && off < 1000n, `${off} ns`);
  });

  test('passes over blocks behind the last packet', async () => {
    const end = [le.statistics(), le.block(4, Buffer.alloc(8)), le.block(0xbad, Buffer.alloc(99))];
    const { bytes, last } = made({ end });
    assert.equal((await quick(bytes)).map?.last, String(last));
  });

  test('believes a section that says how long it is, where that is the file', async () => {
    const { length } = made().bytes;
    assert.ok((await quick(made({ section: BigInt(length - 28) }).bytes)).map);
    assert.equal((await quick(made({ section: BigInt(length - 1028) }).bytes)).map, null);
  });

  test('reads under 200 KB where a snaplen up to 65,535 is trusted, and under 330 KB where not', async () => {
    const { bytes } = made({ interfaces: [{ snaplen: 65_535 }] });
    const trusting = await quick(bytes, { trustSnaplen: true });
    const doubting = await quick(bytes);
    assert.ok(trusting.map && doubting.map);
    assert.deepEqual([trusting.map.last, trusting.map.first], [doubting.map.last, doubting.map.first]);
    assert.ok(trusting.bytesRead < 200_000 && doubting.bytesRead < 330_000);
  });
});

describe('there is no quick map of a pcapng', () => {
  const sound = made().bytes;
  for (const [what, bytes] of [
    ['that is small', made({ size: 100_000 }).bytes],
    [
      'without a packet',
      Buffer.concat([le.section(), le.interface(), le.block(0xbad, Buffer.alloc(500_000))]),
    ],
    [
      'with packets of an interface that is described nowhere',
      made({ end: [le.packet({ interfaceId: 1, ticks: 0n, data: Buffer.alloc(9) })] }).bytes,
    ],
    [
      'with an interface described near its end',
      made({ end: [le.interface(), lastPacket(Buffer.alloc(9))] }).bytes,
    ],
    [
      'with another section near its end',
      made({ end: [le.section(), le.interface(), lastPacket(Buffer.alloc(9))] }).bytes,
    ],
    [
      'with another section of the other byte order behind',
      Buffer.concat([sound, made({ byteOrder: 'be' }).bytes]),
    ],
    ['that ends in a packet without a stamp', made({ end: [le.simplePacket(Buffer.alloc(60))] }).bytes],
    [
      'with a packet that claims more than its block',
      made({ end: [le.block(6, Buffer.alloc(20, 9))] }).bytes,
    ],
    ['that ends before it begins', made({ end: [le.packet({ ticks: 1n, data: Buffer.alloc(9) })] }).bytes],
    ['with bytes behind its end', Buffer.concat([sound, Buffer.alloc(8)])],
    ['of another version', Buffer.concat([sound.subarray(0, 12), Buffer.from([2, 0]), sound.subarray(14)])],
    ['with no interface', Buffer.concat([sound.subarray(0, 28), sound.subarray(48)])],
  ] as const) {
    test(what, async () => {
      assert.equal((await quick(bytes)).map, null);
    });
  }
});

describe('the quick map of a pcapng is not fooled', () => {
  const inner = (size: number): Buffer => made({ size }).bytes;
  /** Blocks as they lie in a file, without its section and interface. */
  const innerPackets = (size: number): Buffer => inner(size).subarray(48);

  for (const size of [500, 5000, 40_000, 100_000, 200_000]) {
    test(`by a last packet that ends in blocks of ${size} bytes`, async () => {
      for (const data of [inner(size), innerPackets(size)]) {
        const { map } = await quick(made({ end: [lastPacket(data)] }).bytes);
        assert.equal(map?.last, String((BEGIN + 1000n) * SECOND));
      }
    });

    test(`by a file that is cut off where blocks of ${size} bytes in its last packet end`, async () => {
      for (const data of [inner(size), innerPackets(size)]) {
        const whole = made({ end: [lastPacket(Buffer.concat([data, Buffer.alloc(400)]))] }).bytes;
        assert.equal((await quick(whole.subarray(0, whole.length - 404))).map, null);
        // As long as the inner blocks would have it.
        const claiming = Buffer.concat([
          made().bytes,
          lastPacket(Buffer.alloc(200_000)).subarray(0, 28),
          data,
        ]);
        assert.equal((await quick(claiming)).map, null);
      }
    });
  }

  test('by a cut anywhere', async () => {
    const { bytes } = made();
    const whole = (await quick(bytes)).map;
    assert.ok(whole);
    for (let cut = 1; cut < 3000; cut += 13)
      assert.equal((await quick(bytes.subarray(0, bytes.length - cut))).map, null);
  });

  test('by bytes changed anywhere near its ends: the map is as it was, says what the bytes say, or is none', async () => {
    const { bytes } = made();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ at: fc.integer({ min: 0, max: 40_000 }), value: fc.integer({ min: 0, max: 255 }) }),
          { minLength: 1, maxLength: 5 },
        ),
        fc.boolean(),
        async (changes, atEnd) => {
          const copy = Buffer.from(bytes);
          for (const { at, value } of changes) copy[atEnd ? bytes.length - 1 - at : at] = value;
          const { map, bytesRead } = await quick(copy);
          assert.ok(bytesRead < 330_000);
          if (map) assert.ok(BigInt(map.last ?? -1) >= BigInt(map.first ?? 0));
        },
      ),
      { numRuns: 200 },
    );
  });
});

const captures = realCaptures();
describe('the quick map of a real pcapng', { skip: typeof captures === 'string' && captures }, () => {
  test('is right where it is given', async () => {
    let given = 0;
    for (const { path, header, truth } of typeof captures === 'string' ? [] : captures) {
      if (header.format !== 'pcapng') continue;
      const map = await quickMap(disk, await disk.stat(path));
      if (!map) continue;
      given += 1;
      assert.deepEqual(
        [map.first, map.last],
        [String(nanosOf(truth.first_time ?? '')), String(nanosOf(truth.last_time ?? ''))],
      );
      assert.ok(Math.abs(map.packets / truth.packets - 1) < 0.5);
    }
    assert.ok(given > 0);
  });
});
