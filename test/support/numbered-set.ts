/**
 * Small capture sets whose every packet carries a number of its own, so that a replay or a map can be held against
 * what was written without a second source of truth.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { numberedFrame } from './frames.ts';
import { host } from './hosts.ts';
import { readPcap } from './pcap-reader.ts';
import { pcapFile } from './pcap-writer.ts';

const START_SECONDS = 1_700_000_000;
const FRAME_LENGTH = 100;
/** Ethernet, IPv4 and UDP headers of a numbered frame. */
const PAYLOAD = 42;

export const numberedConversation = {
  from: host('02:00:00:00:00:01', '10.0.0.1'),
  to: host('02:00:00:00:00:02', '10.0.0.2'),
  fromPort: 1000,
  toPort: 2000,
};

/** Name below the folder → stamps of its packets, in milliseconds after the set's start, in the order of the file. */
export type SetShape = Readonly<Record<string, readonly number[]>>;

/** Writes the files, packets numbered from 0 through the whole shape; gives the numbers by file. */
export async function writeNumberedSet(dir: string, shape: SetShape): Promise<Record<string, number[]>> {
  let number = 0;
  const numbers: Record<string, number[]> = {};
  for (const [name, stamps] of Object.entries(shape)) {
    const first = number;
    const packets = stamps.map((stamp) => ({
      seconds: START_SECONDS + Math.floor(stamp / 1000),
      fraction: Math.round((stamp % 1000) * 1000),
      data: numberedFrame(numberedConversation, FRAME_LENGTH, number++),
    }));
    numbers[name] = packets.map((_, index) => first + index);
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), pcapFile({}, packets));
  }
  return numbers;
}

/** The numbers in a capture of such packets, in its order. */
export function numbersIn(capture: Buffer): number[] {
  return readPcap(capture).packets.map(({ data }) => data.readUInt32BE(PAYLOAD));
}

/** `count` stamps, `step` milliseconds apart, from `from` on. */
export function stamps(from: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index * step);
}
