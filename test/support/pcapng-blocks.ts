/** Makes pcapng files block by block, in both byte orders. Format: draft-ietf-opsawg-pcapng. */

export type ByteOrder = 'le' | 'be';

export interface InterfaceOptions {
  linkType?: number;
  snaplen?: number;
  /** The byte of if_tsresol. */
  resolution?: number;
  /** Seconds of if_tsoffset. */
  offset?: bigint;
}

export interface PacketOptions {
  interfaceId?: number;
  ticks: bigint;
  data: Uint8Array;
  wireLength?: number;
  /** The obsolete kind of packet block. */
  obsolete?: boolean;
}

/** Writers of blocks of one byte order. */
export function pcapngBlocks(byteOrder: ByteOrder) {
  const u16 = (value: number): Buffer => {
    const bytes = Buffer.alloc(2);
    if (byteOrder === 'le') bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  };
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (byteOrder === 'le') bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  const i64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    if (byteOrder === 'le') bytes.writeBigInt64LE(value);
    else bytes.writeBigInt64BE(value);
    return bytes;
  };
  const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const option = (code: number, value: Uint8Array): Buffer =>
    Buffer.concat([u16(code), u16(value.length), padded(value)]);

  const block = (type: number, body: Uint8Array): Buffer => {
    const length = u32(12 + (body.length + (-body.length & 3)));
    return Buffer.concat([u32(type), length, padded(body), length]);
  };

  return {
    block,
    section: (length = -1n): Buffer =>
      block(0x0a0d0d0a, Buffer.concat([u32(0x1a2b3c4d), u16(1), u16(0), i64(length)])),
    interface({ linkType = 1, snaplen = 262_144, resolution, offset }: InterfaceOptions = {}): Buffer {
      const options = [
        ...(resolution === undefined ? [] : [option(9, Buffer.from([resolution]))]),
        ...(offset === undefined ? [] : [option(14, i64(offset))]),
      ];
      const end = options.length > 0 ? [option(0, Buffer.alloc(0))] : [];
      return block(1, Buffer.concat([u16(linkType), u16(0), u32(snaplen), ...options, ...end]));
    },
    packet({
      interfaceId = 0,
      ticks,
      data,
      wireLength = data.length,
      obsolete = false,
    }: PacketOptions): Buffer {
      const id = obsolete ? [u16(interfaceId), u16(0)] : [u32(interfaceId)];
      const stamp = [u32(Number(ticks >> 32n)), u32(Number(ticks & 0xffff_ffffn))];
      const lengths = [u32(data.length), u32(wireLength)];
      return block(obsolete ? 2 : 6, Buffer.concat([...id, ...stamp, ...lengths, padded(data)]));
    },
    simplePacket: (data: Uint8Array): Buffer => block(3, Buffer.concat([u32(data.length), padded(data)])),
    statistics: (): Buffer => block(5, Buffer.alloc(20)),
  };
}
