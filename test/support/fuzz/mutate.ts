/** Damages bytes in the ways files are damaged, and in the ways an attacker would. */
import type { Prng } from '../prng.ts';

/** Numbers at the borders of what formats hold. */
const BORDERS = [0, 1, 2, 3, 4, 8, 12, 16, 28, 0x7f, 0x80, 0xff, 0xffff, 0x1_0000, 262_144, 262_145, 2 ** 27];
const LARGE = [0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff];
const MAGICS = [
  0x0a0d0d0a, 0x1a2b3c4d, 0x4d3c2b1a, 0xa1b2c3d4, 0xa1b2cd34, 0x184d2a50, 0x184d2204, 0xfd2fb528,
];

export function mutate(prng: Prng, original: Buffer, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let times = prng.between(1, 4); times > 0; times -= 1) bytes = once(prng, bytes, other);
  return bytes;
}

function once(prng: Prng, bytes: Buffer, other: Buffer): Buffer {
  if (bytes.length === 0) return Buffer.from(other);
  // Most of what is worth damaging stands at the begin.
  const at = prng.below(prng.chance(0.5) ? Math.min(bytes.length, 200) : bytes.length);
  const length = prng.between(1, Math.min(bytes.length - at, prng.chance(0.8) ? 8 : 4000));
  switch (prng.below(8)) {
    case 0:
      bytes[at]! ^= 1 << prng.below(8);
      return bytes;
    case 1:
      prng.fill(bytes.subarray(at, at + length));
      return bytes;
    case 2:
      return putNumber(prng, bytes, at & ~3);
    case 3:
      return putNumber(prng, bytes, at);
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 6:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    default: {
      const from = prng.below(other.length + 1);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 5000), bytes.subarray(at)]);
    }
  }
}

function putNumber(prng: Prng, bytes: Buffer, at: number): Buffer {
  if (at + 4 > bytes.length) return bytes;
  const value = prng.pick(prng.pick([BORDERS, LARGE, MAGICS]));
  if (prng.chance(0.5)) bytes.writeUInt32LE(value, at);
  else bytes.writeUInt32BE(value, at);
  return bytes;
}
