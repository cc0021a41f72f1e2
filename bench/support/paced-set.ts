// Sets to replay, made packet by packet: each frame carries its number, so that all differ, and stamps are exact.
import { closeSync, openSync, writeSync } from 'node:fs';
import { numberedFrame } from '../../test/support/frames.ts';
import { numberedConversation } from '../../test/support/numbered-set.ts';
import { pcapHeader, plainPcap, putPcapRecord } from '../../test/support/pcap-writer.ts';
import { createPrng } from '../../test/support/prng.ts';

const START = 1_700_000_000;
const NS = 1_000_000_000;
/** Of every set, ns since the epoch. */
export const SET_START = BigInt(START) * BigInt(NS);
const BLOCK_PACKETS = 1000;
/** Ethernet, IPv4, UDP and the number. */
const SMALLEST_FRAME = 60;

/** When a packet goes, ns after the start, and how long its frame is. */
export type Packets = Iterable<readonly [at: number, length: number]>;

/** A nanosecond pcap. @returns packets written */
export function writeSet(path: string, packets: Packets, firstNumber = 0): number {
  const file = openSync(path, 'w');
  writeSync(file, pcapHeader({ ...plainPcap, magic: 'ns' }));
  let block = Buffer.alloc(0);
  let used = 0;
  let number = firstNumber;
  for (const [at, length] of packets) {
    const data = numberedFrame(numberedConversation, Math.max(SMALLEST_FRAME, length), number);
    if (used + 16 + data.length > block.length) {
      writeSync(file, block, 0, used);
      block = Buffer.alloc(BLOCK_PACKETS * (16 + data.length));
      used = 0;
    }
    const seconds = Math.floor(at / NS);
    used = putPcapRecord(block, used, { seconds: START + seconds, fraction: at - seconds * NS, data }, 'le');
    number += 1;
  }
  writeSync(file, block, 0, used);
  closeSync(file);
  return number - firstNumber;
}

/** So many packets of one length, evenly spaced. */
export function* even(count: number, length: number, gap: number): Packets {
  for (let index = 0; index < count; index += 1) yield [index * gap, length];
}

/**
 * Traffic as it comes: at random, with a burst of ten packets back to back now and then, at a rate on average.
 * @param seed of the generator, so that every run has the same
 */
export function* bursty(seconds: number, perSecond: number, seed: number): Packets {
  const prng = createPrng(seed);
  // A step has 1.18 packets on average.
  const mean = (1.18 * NS) / perSecond;
  for (let at = 0; at < seconds * NS;) {
    const burst = prng.chance(0.02) ? 10 : 1;
    for (let index = 0; index < burst; index += 1) {
      yield [at, prng.between(60, 1400)];
      if (index < burst - 1) at += 1000;
    }
    at += Math.round(-Math.log(1 - prng.uint32() / 2 ** 32) * mean);
  }
}
