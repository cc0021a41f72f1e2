// Large captures out of real ones: their packets again and again, each round later by the length of the capture, so
// that times keep running. Written once per benchmark folder and left in the page cache.
import { closeSync, openSync, writeSync } from 'node:fs';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { disk } from '@capfleet/shared/source/disk';
import { pcapHeader, plainPcap } from '../../test/support/pcap-writer.ts';

export interface Multiplied {
  readonly path: string;
  readonly bytes: number;
  readonly packets: number;
}

interface Packet {
  /** Microseconds since the epoch. */
  readonly time: bigint;
  readonly wireLength: number;
  readonly data: Buffer;
}

/**
 * @param from captures to take the packets of, one after another
 * @param bytes least size of the file that is made
 * @param snaplen bytes to keep of each packet
 */
export async function multiply(
  from: readonly string[],
  path: string,
  bytes: number,
  snaplen = 262_144,
): Promise<Multiplied> {
  const packets: Packet[] = [];
  for (const source of from) packets.push(...(await packetsOf(source, snaplen)));
  const [first] = packets;
  if (!first) throw new Error('no packet to multiply');
  let span = 1n;
  for (const { time } of packets) if (time - first.time > span) span = time - first.time;
  const round = Buffer.concat(packets.map(record));
  const file = openSync(path, 'w');
  let size = writeSync(file, pcapHeader({ ...plainPcap, snaplen }));
  let rounds = 0;
  while (size < bytes) {
    let at = 0;
    for (const { time, data } of packets) {
      const shifted = time + BigInt(rounds) * (span + 1000n);
      round.writeUInt32LE(Number(shifted / 1_000_000n) % 2 ** 32, at);
      round.writeUInt32LE(Number(shifted % 1_000_000n), at + 4);
      at += 16 + data.length;
    }
    size += writeSync(file, round);
    rounds += 1;
  }
  closeSync(file);
  return { path, bytes: size, packets: rounds * packets.length };
}

async function packetsOf(path: string, snaplen: number): Promise<Packet[]> {
  const reader = await openCapture(await disk.open(await disk.stat(path)), path);
  const packets: Packet[] = [];
  try {
    do {
      while (reader.advance()) {
        const { seconds, nanos, window, dataStart, capturedLength, wireLength } = reader;
        const end = dataStart + Math.min(capturedLength, snaplen);
        const time = BigInt(seconds) * 1_000_000n + BigInt(Math.floor(nanos / 1000));
        packets.push({ time, wireLength, data: Buffer.from(window.subarray(dataStart, end)) });
      }
    } while (await reader.fill());
  } finally {
    await reader.close();
  }
  return packets;
}

function record({ data, wireLength }: Packet): Buffer {
  const bytes = Buffer.alloc(16 + data.length);
  bytes.writeUInt32LE(data.length, 8);
  bytes.writeUInt32LE(wireLength, 12);
  data.copy(bytes, 16);
  return bytes;
}
