/** Reads the packets of a classic pcap written on this machine; for looking at what tests produced, nothing more. */
import { endianness } from 'node:os';

export interface Capture {
  readonly magic: number;
  readonly linkType: number;
  readonly packets: readonly { readonly ns: bigint; readonly bytes: Uint8Array }[];
  /** Bytes after the last whole packet. */
  readonly rest: number;
}

export function parsePcap(file: Uint8Array): Capture {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u32 = (at: number): number => view.getUint32(at, endianness() === 'LE');
  const packets = [];
  let at = 24;
  while (at + 16 <= file.length) {
    const end = at + 16 + u32(at + 8);
    if (end > file.length) break;
    const bytes = new Uint8Array(file.buffer, file.byteOffset + at + 16, end - at - 16);
    packets.push({ ns: BigInt(u32(at)) * 1_000_000_000n + BigInt(u32(at + 4)), bytes });
    at = end;
  }
  return { magic: u32(0), linkType: u32(20), packets, rest: file.length - at };
}
