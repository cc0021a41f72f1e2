/** Classic pcap in the forms that differ from the usual one: other magic numbers, longer headers, swapped lengths. */
import { PCAP_RECORD_HEADER_LENGTH, pcapHeader, plainPcap, type PcapRecord } from './pcap-writer.ts';

export interface PcapVariant {
  magic?: number;
  minor?: number;
  /** Bytes between the file header and the first record, and at the end of each record's header. */
  gap?: number;
  extra?: number;
  /** The wire's length stands before the captured one. */
  swapped?: boolean;
}

export const KUZNETZOV: PcapVariant = { magic: 0xa1b2_cd34, extra: 8 };
export const IXIA_HARDWARE: PcapVariant = { magic: 0x1c00_01ac, gap: 4 };
export const IXIA_SOFTWARE: PcapVariant = { magic: 0x1c00_01ab, gap: 4 };

export function pcapVariant(
  variant: PcapVariant,
  byteOrder: 'le' | 'be',
  packets: readonly PcapRecord[],
): Buffer {
  const { magic = 0xa1b2_c3d4, minor = 4, gap = 0, extra = 0, swapped = false } = variant;
  const put = (target: Buffer, value: number, at: number): void => {
    if (byteOrder === 'le') target.writeUInt32LE(value, at);
    else target.writeUInt32BE(value, at);
  };
  const header = pcapHeader({ ...plainPcap, byteOrder });
  put(header, magic, 0);
  header[byteOrder === 'le' ? 6 : 7] = minor;
  const records = packets.map(({ seconds, fraction, data, wireLength = data.length }) => {
    const head = Buffer.alloc(PCAP_RECORD_HEADER_LENGTH + extra, 0xee);
    put(head, seconds, 0);
    put(head, fraction, 4);
    put(head, swapped ? wireLength : data.length, 8);
    put(head, swapped ? data.length : wireLength, 12);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, Buffer.alloc(gap, 0xee), ...records]);
}
