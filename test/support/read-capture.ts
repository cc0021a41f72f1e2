/** Reads a capture to its end through the product's reader, and keeps everything that it said. */
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import type { CaptureInfo, PacketReader } from '@capfleet/shared/capture/packet-reader';
import type { CaptureWarning } from '@capfleet/shared/capture/warning';
import { memoryReader, type MemoryReaderOptions } from './memory-reader.ts';
import { patterned } from './patterned.ts';
import { plainPcap, pcapFile, type PcapHeader, type PcapRecord } from './pcap-writer.ts';

export interface CapturedPacket {
  /** Nanoseconds since the epoch. */
  time: bigint;
  data: Buffer;
  wireLength: number;
  /** Set where the packet has no stamp; its time is that of the packet before it then. */
  untimed?: true;
  /** Set where it is not that of the first packet. */
  linkType?: number;
}

export interface ReadCapture {
  info: CaptureInfo;
  packets: CapturedPacket[];
  warnings: CaptureWarning[];
}

/** Takes what is left in the reader and closes it. */
export async function drain(reader: PacketReader): Promise<ReadCapture> {
  const packets: CapturedPacket[] = [];
  let firstLinkType: number | undefined;
  try {
    do {
      while (reader.advance()) {
        const { seconds, nanos, window, dataStart, capturedLength, wireLength } = reader;
        const data = Buffer.from(window.subarray(dataStart, dataStart + capturedLength));
        firstLinkType ??= reader.linkType;
        packets.push({
          time: BigInt(seconds) * 1_000_000_000n + BigInt(nanos),
          data,
          wireLength,
          ...(!reader.timed && { untimed: true }),
          ...(reader.linkType !== firstLinkType && { linkType: reader.linkType }),
        });
      }
    } while (await reader.fill());
    return { info: reader.info, packets, warnings: reader.warnings() };
  } finally {
    await reader.close();
  }
}

async function readFrom(bytes: ByteReader, path = 'test.pcap'): Promise<ReadCapture> {
  return drain(await openCapture(bytes, path));
}

export function readBytes(bytes: Uint8Array, options: MemoryReaderOptions = {}): Promise<ReadCapture> {
  return readFrom(memoryReader(bytes, options));
}

/** Records with stamps a millisecond apart and payloads of the given lengths, each byte telling its place. */
export function records(lengths: readonly number[], header: Partial<PcapHeader> = {}): PcapRecord[] {
  const unit = (header.magic ?? plainPcap.magic) === 'us' ? 1000 : 1_000_000;
  return lengths.map((length, index) => ({
    seconds: 1_600_000_000 + Math.floor(index / 1000),
    fraction: (index % 1000) * unit,
    data: patterned(length, index),
  }));
}

/** A sound file of such records. */
export function captureOf(lengths: readonly number[], header: Partial<PcapHeader> = {}): Buffer {
  return pcapFile(header, records(lengths, header));
}
