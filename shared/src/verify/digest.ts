// A packet's bytes as one number, equal for the packet that a sensor sent and the one that its far end received: what
// an Ethernet interface adds to a short frame, zeros up to 60 bytes, is taken as part of it on both sides.
import type createXxhash from 'xxhash-wasm';
import type { Digest } from './matching.ts';

const SHORTEST_FRAME = 60;

type Hashes = Awaited<ReturnType<typeof createXxhash>>;

/** @returns a function that gives the digest of a frame within a buffer */
export async function createDigest(): Promise<(bytes: Buffer, start: number, length: number) => Digest> {
  const { default: createHashes } = await import('xxhash-wasm');
  const hashes: Hashes = await createHashes();
  const padded = Buffer.alloc(SHORTEST_FRAME);
  return (bytes, start, length) => {
    let frame = bytes.subarray(start, start + length);
    if (length < SHORTEST_FRAME) {
      padded.fill(0, length);
      frame.copy(padded);
      frame = padded;
    }
    // 21 bits of one hash above 32 of another are all that a plain number holds exactly.
    const high = hashes.h32Raw(frame, 1) % 2 ** 21;
    return high * 2 ** 32 + hashes.h32Raw(frame) || 1;
  };
}
