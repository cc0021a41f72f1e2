/**
 * Makes classic pcap files in memory, in both resolutions and both byte orders, and damages them in the ways
 * captures are found damaged. It writes what it is told, also stamps that run backwards or lengths beyond the
 * snapshot length: to judge them is the work of the code under test. Format: draft-ietf-opsawg-pcap.
 */

export interface PcapHeader {
  /** Unit of the stamps' fractions: microseconds (a1b2c3d4) or nanoseconds (a1b23c4d). */
  magic: 'us' | 'ns';
  byteOrder: 'le' | 'be';
  snaplen: number;
  /** LINKTYPE value, 1 is Ethernet. */
  linkType: number;
}

export interface PcapRecord {
  /** Seconds since the epoch, 0 … 2^32 − 1. */
  seconds: number;
  /** Microseconds or nanoseconds, as the header's magic says. */
  fraction: number;
  data: Uint8Array;
  /** Length on the wire; the captured length when left out. */
  wireLength?: number;
}

export const PCAP_HEADER_LENGTH = 24;
export const PCAP_RECORD_HEADER_LENGTH = 16;
const LINKTYPE_ETHERNET = 1;

const MAGIC = { us: 0xa1b2c3d4, ns: 0xa1b23c4d } as const;

/** Ethernet, microseconds, little endian, nothing cut. */
export const plainPcap: PcapHeader = {
  magic: 'us',
  byteOrder: 'le',
  snaplen: 262_144,
  linkType: LINKTYPE_ETHERNET,
};

function putUint32(target: Buffer, value: number, offset: number, byteOrder: 'le' | 'be'): void {
  if (byteOrder === 'le') target.writeUInt32LE(value, offset);
  else target.writeUInt32BE(value, offset);
}

/** The 24 bytes at the start of a file. */
export function pcapHeader(header: PcapHeader): Buffer {
  const bytes = Buffer.alloc(PCAP_HEADER_LENGTH);
  const { byteOrder } = header;
  putUint32(bytes, MAGIC[header.magic], 0, byteOrder);
  if (byteOrder === 'le') {
    bytes.writeUInt16LE(2, 4);
    bytes.writeUInt16LE(4, 6);
  } else {
    bytes.writeUInt16BE(2, 4);
    bytes.writeUInt16BE(4, 6);
  }
  putUint32(bytes, header.snaplen, 16, byteOrder);
  putUint32(bytes, header.linkType, 20, byteOrder);
  return bytes;
}

/** Writes one record at the offset and returns the offset after it; the target must have room. */
export function putPcapRecord(
  target: Buffer,
  offset: number,
  record: PcapRecord,
  byteOrder: 'le' | 'be',
): number {
  putUint32(target, record.seconds, offset, byteOrder);
  putUint32(target, record.fraction, offset + 4, byteOrder);
  putUint32(target, record.data.length, offset + 8, byteOrder);
  putUint32(target, record.wireLength ?? record.data.length, offset + 12, byteOrder);
  target.set(record.data, offset + PCAP_RECORD_HEADER_LENGTH);
  return offset + PCAP_RECORD_HEADER_LENGTH + record.data.length;
}

/** A whole file. Parts of the header that are left out are those of `plainPcap`. */
export function pcapFile(header: Partial<PcapHeader>, packets: readonly PcapRecord[]): Buffer {
  const full = { ...plainPcap, ...header };
  const room = packets.reduce((sum, packet) => sum + PCAP_RECORD_HEADER_LENGTH + packet.data.length, 0);
  const file = Buffer.alloc(PCAP_HEADER_LENGTH + room);
  file.set(pcapHeader(full));
  let offset = PCAP_HEADER_LENGTH;
  for (const packet of packets) offset = putPcapRecord(file, offset, packet, full.byteOrder);
  return file;
}

/** Offset of the record with this index (0 is the first); the file must be sound up to there. */
export function pcapRecordOffset(file: Buffer, index: number): number {
  const byteOrder = byteOrderOf(file);
  let offset = PCAP_HEADER_LENGTH;
  for (let i = 0; i < index; i++) {
    const captured = byteOrder === 'le' ? file.readUInt32LE(offset + 8) : file.readUInt32BE(offset + 8);
    offset += PCAP_RECORD_HEADER_LENGTH + captured;
  }
  if (offset + PCAP_RECORD_HEADER_LENGTH > file.length)
    throw new RangeError(`no record ${index} in this file`);
  return offset;
}

function byteOrderOf(file: Buffer): 'le' | 'be' {
  return file[0] === 0xa1 ? 'be' : 'le';
}

/** The first `length` bytes: a capture whose writer was stopped in the middle. */
export function cutAt(file: Buffer, length: number): Buffer {
  return Buffer.from(file.subarray(0, length));
}

/** A copy in which one record claims another captured length than it has. */
export function withCapturedLength(file: Buffer, index: number, length = 0xffff_ffff): Buffer {
  const copy = Buffer.from(file);
  putUint32(copy, length, pcapRecordOffset(file, index) + 8, byteOrderOf(file));
  return copy;
}

/** A copy with other first four bytes, given in the order in which they stand in the file. */
export function withMagic(file: Buffer, magic: number): Buffer {
  const copy = Buffer.from(file);
  copy.writeUInt32BE(magic, 0);
  return copy;
}
