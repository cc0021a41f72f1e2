// A packet's bytes as one number, equal for the packet that a sensor sent and the one that its far end received: what
// an Ethernet interface adds to a short frame, zeros up to 60 bytes, is taken as part of it on both sides. Where the
// far end kept only the first bytes of its packets, those and the length on the wire stand for a packet.
import type createXxhash from 'xxhash-wasm';
import type { Digest } from './matching.ts';

const SHORTEST_FRAME = 60;

type Hashes = Awaited<ReturnType<typeof createXxhash>>;

/** Takes `length` bytes at `start` of a frame that has `wireLength`. */
export type DigestOf = (bytes: Buffer, start: number, length: number, wireLength: number) => Digest;

/** @param kept bytes of a packet that both sides know; all where no packet was cut off */
export async function createDigest(kept = Number.POSITIVE_INFINITY): Promise<DigestOf> {
  const { default: createHashes } = await import('xxhash-wasm');
  const hashes: Hashes = await createHashes();
  const padded = Buffer.alloc(SHORTEST_FRAME);
  return (bytes, start, length, wireLength) => {
    let frame = bytes.subarray(start, start + Math.min(length, kept));
    if (wireLength < SHORTEST_FRAME && frame.length < Math.min(SHORTEST_FRAME, kept)) {
      padded.fill(0, frame.length);
      frame.copy(padded);
      frame = padded.subarray(0, Math.min(SHORTEST_FRAME, kept));
    }
    // 21 bits of one hash above 32 of another are all that a plain number holds exactly. The length is the seed.
    const seed = Math.max(wireLength, SHORTEST_FRAME);
    const high = hashes.h32Raw(frame, seed + 1) % 2 ** 21;
    return high * 2 ** 32 + hashes.h32Raw(frame, seed) || 1;
  };
}
