/** Sound pcapng captures, one per quirk of the format. */
import { patterned } from './patterned.ts';
import { blocks, OTHER_BLOCKS, type ByteOrder } from './pcapng-writer.ts';

export interface PcapngFixture {
  name: string;
  file: Buffer;
}

const T = 1_600_000_000n;
const US = 1_000_000n;

export function pcapngFixtures(order: ByteOrder): PcapngFixture[] {
  const b = blocks(order);
  const other = blocks(order === 'le' ? 'be' : 'le');
  const data = (length: number): Buffer => patterned(length, length);
  const head = [b.section(), b.interface()];
  const packet = (offset: bigint, length: number): Buffer =>
    b.enhanced({ stamp: T * US + offset, data: data(length) });
  const of = (name: string, parts: readonly Buffer[]): PcapngFixture => ({
    name: `${name} (${order})`,
    file: Buffer.concat(parts),
  });
  const unit = (resolution: number, stamp: bigint): Buffer[] => [
    b.section(),
    b.interface({ resolution }),
    b.enhanced({ stamp, data: data(60) }),
    b.enhanced({ stamp: stamp + 1n, data: data(61) }),
  ];
  return [
    of('no packet', head),
    of('one packet', [...head, packet(0n, 60)]),
    of('packets out of order', [...head, packet(9n, 60), packet(1n, 61), packet(5n, 62)]),
    of('every padding', [...head, ...[60, 61, 62, 63, 64].map((length) => packet(BigInt(length), length))]),
    of('a packet of nothing', [...head, packet(0n, 0), packet(1n, 60)]),
    of('sliced packets', [...head, b.enhanced({ stamp: T * US, data: data(60), wireLength: 1514 })]),
    of('options everywhere', [
      b.section([{ code: 4, value: Buffer.from('someone') }]),
      b.interface({ options: [{ code: 2, value: Buffer.from('eth0') }] }),
      b.enhanced({ stamp: T * US, data: data(60), options: [{ code: 1, value: Buffer.from('a note') }] }),
    ]),
    of('obsolete packets', [...head, b.obsolete({ stamp: T * US, data: data(60) })]),
    of('simple packets among others', [...head, packet(5n, 60), b.simple(data(61)), packet(9n, 62)]),
    of('two interfaces of different units', [
      ...head,
      b.interface({ resolution: 9 }),
      packet(5n, 60),
      b.enhanced({ interface: 1, stamp: T * 1000n * US + 6001n, data: data(61) }),
    ]),
    of('an offset', [b.section(), b.interface({ offset: 86_400n }), packet(5n, 60)]),
    of('a negative offset', [b.section(), b.interface({ offset: -86_400n }), packet(5n, 60)]),
    of('sections of both byte orders', [
      ...head,
      packet(5n, 60),
      other.section(),
      other.interface(),
      other.enhanced({ stamp: T * US + 7n, data: data(61) }),
    ]),
    of('blocks of other kinds', [
      ...head,
      ...OTHER_BLOCKS.filter((type) => type > 10).flatMap((type) => [
        b.block(type, Buffer.alloc(20)),
        packet(3n, 60),
      ]),
    ]),
    of('milliseconds', unit(3, T * 1000n)),
    of('nanoseconds', unit(9, T * 1000n * US + 123_456_789n)),
    of('hundreds of picoseconds', unit(10, T * 10_000n * US + 1_234_567_891n)),
    of('2^-8 seconds', unit(0x88, T * 256n + 77n)),
    of('2^-30 seconds', unit(0x9e, (T << 30n) + 12_345_678n)),
  ];
}
