/**
 * Makes pcapng captures in memory, block by block, in either byte order, and wrong ones where it is told to: a block
 * may claim any length. To judge them is the work of the code under test. Format: draft-ietf-opsawg-pcapng.
 */

export type ByteOrder = 'le' | 'be';

export interface PcapngOption {
  code: number;
  value: Uint8Array;
  /** The length that it claims; that of the value when left out. */
  length?: number;
}

export interface InterfaceShape {
  linkType?: number;
  snaplen?: number;
  /** The byte of if_tsresol: exponent of ten, or of two with 0x80. */
  resolution?: number;
  /** Seconds of if_tsoffset. */
  offset?: bigint;
  options?: readonly PcapngOption[];
}

export interface PcapngPacket {
  /** In units of the interface. */
  stamp: bigint;
  data: Uint8Array;
  wireLength?: number;
  interface?: number;
  options?: readonly PcapngOption[];
}

export const BLOCK = { section: 0x0a0d0d0a, interface: 1, obsolete: 2, simple: 3, enhanced: 6 } as const;
/** Blocks that hold no packets: name resolution, statistics, secrets, custom of both kinds, and two of nobody's. */
export const OTHER_BLOCKS = [4, 5, 10, 0x0bad, 0x4000_0bad, 0x77, 0x8000_0001] as const;

const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;

export interface BlockWriter {
  section(options?: readonly PcapngOption[], version?: readonly [major: number, minor: number]): Buffer;
  interface(shape?: InterfaceShape): Buffer;
  enhanced(packet: PcapngPacket): Buffer;
  obsolete(packet: PcapngPacket): Buffer;
  /** A packet without a stamp, cut to the snaplen by who calls. */
  simple(data: Uint8Array, wireLength?: number): Buffer;
  /** Any block, with the length that it claims at its begin and at its end where they are not its own. */
  block(type: number, body: Uint8Array, claims?: { first?: number; second?: number }): Buffer;
}

export function blocks(byteOrder: ByteOrder): BlockWriter {
  const uint16 = (value: number): Buffer => {
    const bytes = Buffer.alloc(2);
    if (byteOrder === 'le') bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  };
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (byteOrder === 'le') bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const int64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    if (byteOrder === 'le') bytes.writeBigInt64LE(value);
    else bytes.writeBigInt64BE(value);
    return bytes;
  };
  const stampOf = (stamp: bigint): Buffer =>
    Buffer.concat([uint32(Number(stamp >> 32n)), uint32(Number(stamp & 0xffff_ffffn))]);
  const optionsOf = (options: readonly PcapngOption[]): Buffer => {
    if (options.length === 0) return Buffer.alloc(0);
    const parts = options.map(({ code, value, length }) =>
      Buffer.concat([uint16(code), uint16(length ?? value.length), padded(value)]),
    );
    return Buffer.concat([...parts, Buffer.alloc(4)]);
  };
  const block: BlockWriter['block'] = (type, body, { first, second } = {}) => {
    const length = 12 + body.length;
    return Buffer.concat([uint32(type), uint32(first ?? length), body, uint32(second ?? length)]);
  };
  const packetTail = ({ stamp, data, wireLength, options = [] }: PcapngPacket): Buffer[] => [
    stampOf(stamp),
    uint32(data.length),
    uint32(wireLength ?? data.length),
    padded(data),
    optionsOf(options),
  ];
  return {
    block,
    section(options = [], [major, minor] = [1, 0]) {
      const head = [uint32(0x1a2b3c4d), uint16(major), uint16(minor), int64(-1n)];
      return block(BLOCK.section, Buffer.concat([...head, optionsOf(options)]));
    },
    interface({ linkType = 1, snaplen = 0, resolution, offset, options = [] } = {}) {
      const all = [...options];
      if (resolution !== undefined) all.push({ code: IF_TSRESOL, value: Buffer.from([resolution]) });
      if (offset !== undefined) all.push({ code: IF_TSOFFSET, value: int64(offset) });
      const head = [uint16(linkType), uint16(0), uint32(snaplen)];
      return block(BLOCK.interface, Buffer.concat([...head, optionsOf(all)]));
    },
    enhanced: (packet) =>
      block(BLOCK.enhanced, Buffer.concat([uint32(packet.interface ?? 0), ...packetTail(packet)])),
    obsolete: (packet) =>
      block(BLOCK.obsolete, Buffer.concat([uint16(packet.interface ?? 0), uint16(7), ...packetTail(packet)])),
    simple: (data, wireLength) =>
      block(BLOCK.simple, Buffer.concat([uint32(wireLength ?? data.length), padded(data)])),
  };
}

function padded(value: Uint8Array): Buffer {
  return Buffer.concat([value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}
