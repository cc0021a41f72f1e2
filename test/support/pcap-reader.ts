/**
 * Reads classic pcap the plain way: the whole file in memory, bigint times, no recovery. It stands apart from
 * the readers of the product on purpose, so that a test compares two implementations; it throws at the first
 * thing that is not sound. Format: draft-ietf-opsawg-pcap.
 */

export interface ReadPacket {
  /** Nanoseconds since the epoch. */
  time: bigint;
  data: Buffer;
  wireLength: number;
}

export interface ReadPcap {
  linkType: number;
  snaplen: number;
  resolution: 'us' | 'ns';
  byteOrder: 'le' | 'be';
  packets: ReadPacket[];
}

const KINDS = new Map<string, { resolution: 'us' | 'ns'; byteOrder: 'le' | 'be' }>([
  ['a1b2c3d4', { resolution: 'us', byteOrder: 'be' }],
  ['d4c3b2a1', { resolution: 'us', byteOrder: 'le' }],
  ['a1b23c4d', { resolution: 'ns', byteOrder: 'be' }],
  ['4d3cb2a1', { resolution: 'ns', byteOrder: 'le' }],
]);

/** Data of the packets are views into the buffer. */
export function readPcap(file: Buffer): ReadPcap {
  const magic = file.toString('hex', 0, 4);
  const kind = KINDS.get(magic);
  if (kind === undefined) throw new Error(`not a classic pcap file: it begins with ${magic || 'nothing'}`);
  if (file.length < 24) throw new Error(`file header cut off after ${file.length} bytes`);

  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const little = kind.byteOrder === 'le';
  const scale = kind.resolution === 'us' ? 1000n : 1n;
  const packets: ReadPacket[] = [];

  let at = 24;
  while (at < file.length) {
    if (at + 16 > file.length) throw new Error(`record header cut off at offset ${at}`);
    const seconds = BigInt(view.getUint32(at, little));
    const fraction = BigInt(view.getUint32(at + 4, little));
    const captured = view.getUint32(at + 8, little);
    const wireLength = view.getUint32(at + 12, little);
    const end = at + 16 + captured;
    if (end > file.length) throw new Error(`record of ${captured} bytes cut off at offset ${at}`);
    packets.push({
      time: seconds * 1_000_000_000n + fraction * scale,
      data: file.subarray(at + 16, end),
      wireLength,
    });
    at = end;
  }
  return { linkType: view.getUint32(20, little), snaplen: view.getUint32(16, little), ...kind, packets };
}
