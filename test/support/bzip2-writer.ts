/**
 * Compresses with bzip2 in the plainest way: each block sorted by comparing, two tables in which all codes have one
 * length. Slow, meant for some kilobytes.
 */

/** One stream, its blocks of so many bytes at most. */
export function bzip2Stream(bytes: Buffer, level = 9, blockBytes = 4000): Buffer {
  const bits = new BitSink();
  for (const letter of `BZh${level}`) bits.put(letter.charCodeAt(0), 8);
  let combined = 0;
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes);
    const checksum = crcOf(block);
    combined = (((combined << 1) | (combined >>> 31)) ^ checksum) >>> 0;
    putBlock(bits, runsOf(block), checksum);
  }
  bits.put(0x177245, 24);
  bits.put(0x385090, 24);
  bits.put(combined, 32);
  return bits.bytes();
}

class BitSink {
  readonly #bits: number[] = [];

  put(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit -= 1) this.#bits.push(Math.floor(value / 2 ** bit) % 2);
  }

  bytes(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.#bits.length / 8));
    for (const [index, bit] of this.#bits.entries()) bytes[index >> 3]! |= bit << (7 - (index % 8));
    return bytes;
  }
}

/** Four equal bytes are followed by how many more there are. */
function runsOf(bytes: Buffer): number[] {
  const coded: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at]!;
    let run = 1;
    while (run < 259 && bytes[at + run] === byte) run += 1;
    for (let copy = 0; copy < Math.min(run, 4); copy += 1) coded.push(byte);
    if (run >= 4) coded.push(run - 4);
    at += run;
  }
  return coded;
}

function putBlock(bits: BitSink, coded: readonly number[], checksum: number): void {
  const length = coded.length;
  const rotations = coded
    .map((_, index) => index)
    .sort((a, b) => {
      for (let at = 0; at < length; at += 1) {
        const difference = coded[(a + at) % length]! - coded[(b + at) % length]!;
        if (difference !== 0) return difference;
      }
      return 0;
    });
  const last = rotations.map((start) => coded[(start + length - 1) % length]!);
  const used = [...new Set(coded)].sort((a, b) => a - b);
  const symbols = symbolsOf(last, used);
  bits.put(0x314159, 24);
  bits.put(0x265359, 24);
  bits.put(checksum, 32);
  bits.put(0, 1);
  bits.put(rotations.indexOf(0), 24);
  for (let range = 0; range < 16; range += 1) bits.put(used.some((value) => value >> 4 === range) ? 1 : 0, 1);
  for (let range = 0; range < 16; range += 1)
    if (used.some((value) => value >> 4 === range))
      for (let low = 0; low < 16; low += 1) bits.put(used.includes(16 * range + low) ? 1 : 0, 1);
  const groups = Math.ceil(symbols.length / 50);
  bits.put(2, 3);
  bits.put(groups, 15);
  // The first table for all groups.
  for (let group = 0; group < groups; group += 1) bits.put(0, 1);
  const codeLength = Math.max(1, Math.ceil(Math.log2(used.length + 2)));
  for (let table = 0; table < 2; table += 1) {
    bits.put(codeLength, 5);
    for (let symbol = 0; symbol < used.length + 2; symbol += 1) bits.put(0, 1);
  }
  for (const symbol of symbols) bits.put(symbol, codeLength);
}

/** Move to front, runs of zeros in two symbols, and the end. */
function symbolsOf(last: readonly number[], used: readonly number[]): number[] {
  const front = [...used];
  const symbols: number[] = [];
  let zeros = 0;
  const flush = (): void => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) symbols.push(zeros % 2 === 1 ? 0 : 1);
    zeros = 0;
  };
  for (const byte of last) {
    const place = front.indexOf(byte);
    front.splice(place, 1);
    front.unshift(byte);
    if (place === 0) zeros += 1;
    else {
      flush();
      symbols.push(place + 1);
    }
  }
  flush();
  symbols.push(used.length + 1);
  return symbols;
}

function crcOf(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  }
  return ~crc >>> 0;
}
