/**
 * A small seeded generator of pseudo-random numbers (xoshiro128** seeded by splitmix32), so that everything
 * built from one seed is the same on every machine and every run. It is for test data only: not for secrets,
 * and not for statistics that need more than 32 bits at a time.
 */

export interface Prng {
  /** An integer in 0 … 2^32 − 1. */
  uint32(): number;
  /** An integer in 0 … limit − 1. */
  below(limit: number): number;
  /** An integer in low … high, both included. */
  between(low: number, high: number): number;
  /** True with the given probability (0 … 1). */
  chance(probability: number): boolean;
  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** Fills the bytes and returns them. */
  fill<T extends Uint8Array>(bytes: T): T;
}

function splitmix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

const rotateLeft = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** The same seed (any integer; its low 32 bits count) always gives the same sequence. */
export function createPrng(seed: number): Prng {
  const next = splitmix32(seed);
  let s0 = next() | 0;
  let s1 = next() | 0;
  let s2 = next() | 0;
  let s3 = next() | 0 || 1;

  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotateLeft(s3, 11);
    return result;
  };
  const below = (limit: number): number => Math.floor((uint32() / 0x1_0000_0000) * limit);

  return {
    uint32,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => uint32() < probability * 0x1_0000_0000,
    pick: <T>(list: readonly T[]): T => {
      if (list.length === 0) throw new RangeError('cannot pick from an empty list');
      return list[below(list.length)] as T;
    },
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i += 4) {
        const word = uint32();
        for (let j = 0; j < 4 && i + j < bytes.length; j++) bytes[i + j] = word >>> (8 * j);
      }
      return bytes;
    },
  };
}
