/** Bytes that differ from place to place and from seed to seed, so that a mix-up shows. */
export function patterned(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = seed * 31 + at * 7;
  return bytes;
}
