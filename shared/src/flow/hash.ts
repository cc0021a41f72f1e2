// The numbers by which conversations are told apart: 32-bit hashes that are the same for both directions. What goes in is
// mixed with the rounds of MurmurHash3 (x86, 32 bits). A plan relies on them on every sensor: they never change.

const SEED = 0x6361_7066;

/** One word into a hash. */
export function mix(hash: number, word: number): number {
  let part = Math.imul(word, 0xcc9e2d51);
  part = (part << 15) | (part >>> 17);
  const mixed = hash ^ Math.imul(part, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Spreads what was mixed over all bits. */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * Of one end of a conversation, or of whatever else lies there.
 * @param length of its address, in bytes
 * @param more what belongs to the end beside its address: a port
 */
export function hashEnd(bytes: Buffer, at: number, length: number, more: number): number {
  let hash = mix(SEED, more);
  let word = 0;
  for (; word + 4 <= length; word += 4) hash = mix(hash, bytes.readInt32BE(at + word));
  if (word + 2 <= length) hash = mix(hash, bytes.readUInt16BE(at + word));
  return finish(hash);
}

/** Of two ends, whichever comes first, and what they have in common. */
export function hashPair(one: number, other: number, common: number): number {
  return finish(mix(mix(mix(SEED, (one + other) | 0), one ^ other), common));
}

/** @returns which of so many shares a hash falls into, from 0: all are of one size */
export function shareOf(hash: number, shares: number): number {
  return Math.floor(((hash >>> 0) * shares) / 2 ** 32);
}
