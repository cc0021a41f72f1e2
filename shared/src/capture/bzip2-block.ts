// One block of bzip2: Huffman codes, move to front and runs of zeros undone into symbols, the Burrows-Wheeler
// transform undone into bytes, the first run-length coding undone into what was compressed. Written as a generator
// that pauses where it needs more bytes or has worked for a few milliseconds, because a block is up to 900 kB of
// symbols and may expand to 45 MB.
import { damage, room, type BitSource } from './bzip2-bits.ts';
import { readCodes, readSymbol, type Codes } from './bzip2-codes.ts';
import { Damage } from './compressed-input.ts';

/** Why a block pauses: it needs more bytes, it lets others work, or it has bytes to give. */
export type BlockPause = 'more' | 'pause' | Buffer;

const GROUP = 50;
const RUN_A = 0;
const RUN_B = 1;
/** Groups of codes, and symbols of the transform, between two pauses. */
const GROUPS_PER_PAUSE = 2000;
const SYMBOLS_PER_PAUSE = 200_000;
const OUTPUT_BYTES = 64 * 1024;
/**
 * Decodes a block behind its magic number.
 * @param work as many numbers as the stream's blocks may have symbols; used again for each block
 * @returns the checksum that the block carries; what came out has it
 * @throws Damage
 */
export function* readBlock(bits: BitSource, work: Uint32Array): Generator<BlockPause, number, undefined> {
  yield* room(bits);
  const checksum = bits.read32();
  if (bits.read(1) === 1) throw damage(bits, 'a block is randomised, as before 1999; that is not read');
  const origin = bits.read(24);
  const count = yield* readSymbols(bits, work);
  if (origin >= count) throw damage(bits, 'a block begins outside of itself');
  yield* link(work, count);
  if ((yield* unroll(work, count, origin)) !== checksum)
    throw new Damage(false, 'the checksum of a block is wrong');
  return checksum;
}

/** Fills `work` with the block's symbols, in the transform's order; returns how many there are. */
function* readSymbols(bits: BitSource, work: Uint32Array): Generator<BlockPause, number, undefined> {
  const used = readUsed(bits);
  const tableCount = bits.read(3);
  if (tableCount < 2 || tableCount > 6) throw damage(bits, `a block has ${String(tableCount)} code tables`);
  const selectors = yield* readSelectors(bits, tableCount);
  const tables: Codes[] = [];
  for (let index = 0; index < tableCount; index += 1) tables.push(yield* readCodes(bits, used.length + 2));

  const endOfBlock = used.length + 1;
  const front = Uint8Array.from(used);
  let count = 0;
  let run = 0;
  let runBit = 1;
  for (let group = 0; group < selectors.length; group += 1) {
    yield* room(bits);
    if (group % GROUPS_PER_PAUSE === GROUPS_PER_PAUSE - 1) yield 'pause';
    const codes = tables[selectors[group] as number] as Codes;
    for (let left = GROUP; left > 0; left -= 1) {
      const symbol = readSymbol(bits, codes);
      if (symbol === RUN_A || symbol === RUN_B) {
        run += runBit << symbol;
        runBit <<= 1;
        if (run > work.length) throw damage(bits, 'a block has more symbols than its stream allows');
        continue;
      }
      if (run > 0) {
        if (count + run > work.length) throw damage(bits, 'a block has more symbols than its stream allows');
        work.fill(front[0] as number, count, count + run);
        count += run;
        run = 0;
        runBit = 1;
      }
      if (symbol === endOfBlock) {
        if (bits.overrun) throw new Damage(true);
        return count;
      }
      if (count === work.length) throw damage(bits, 'a block has more symbols than its stream allows');
      const value = front[symbol - 1] as number;
      front.copyWithin(1, 0, symbol - 1);
      front[0] = value;
      work[count] = value;
      count += 1;
    }
  }
  throw damage(bits, 'a block has no end');
}

/** The byte values that occur in the block. */
function readUsed(bits: BitSource): number[] {
  const used: number[] = [];
  const ranges = bits.read(16);
  for (let range = 0; range < 16; range += 1) {
    if (((ranges >> (15 - range)) & 1) === 0) continue;
    const values = bits.read(16);
    for (let value = 0; value < 16; value += 1)
      if (((values >> (15 - value)) & 1) === 1) used.push(16 * range + value);
  }
  if (used.length === 0) throw damage(bits, 'a block uses no byte value');
  return used;
}

/** Which table decodes which group of codes. */
function* readSelectors(bits: BitSource, tables: number): Generator<'more', Uint8Array, undefined> {
  const selectors = new Uint8Array(bits.read(15));
  const front = [0, 1, 2, 3, 4, 5];
  for (let index = 0; index < selectors.length; index += 1) {
    if (index % 64 === 0) yield* room(bits);
    let place = 0;
    while (bits.read(1) === 1) {
      place += 1;
      if (place >= tables) throw damage(bits, 'a block names a code table that it has not');
    }
    const [table = 0] = front.splice(place, 1);
    front.unshift(table);
    selectors[index] = table;
  }
  return selectors;
}

/** Undoes the transform: above its byte, each symbol gets the place of the one that follows it. */
function* link(work: Uint32Array, count: number): Generator<'pause', void, undefined> {
  const next = new Uint32Array(256);
  for (let index = 0; index < count; index += 1) next[work[index] as number]! += 1;
  let sum = 0;
  for (let value = 0; value < 256; value += 1) {
    const occurrences = next[value] as number;
    next[value] = sum;
    sum += occurrences;
  }
  for (let index = 0; index < count; index += 1) {
    const value = (work[index] as number) & 0xff;
    const place = next[value] as number;
    work[place] = (work[place] as number) | (index << 8);
    next[value] = place + 1;
    if (index % SYMBOLS_PER_PAUSE === SYMBOLS_PER_PAUSE - 1) yield 'pause';
  }
}

/** Gives the bytes in their order, runs undone: four equal ones are followed by the number of further ones. */
function* unroll(work: Uint32Array, count: number, origin: number): Generator<BlockPause, number, undefined> {
  let output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let filled = 0;
  let crc = 0xffff_ffff;
  let place = (work[origin] as number) >>> 8;
  let last = -1;
  let equal = 0;
  for (let left = count; left > 0; left -= 1) {
    const entry = work[place] as number;
    const value = entry & 0xff;
    place = entry >>> 8;
    let copies = 1;
    let byte = value;
    if (equal === 4) {
      copies = value;
      byte = last;
      equal = 0;
      last = -1;
    } else if (value === last) equal += 1;
    else {
      last = value;
      equal = 1;
    }
    for (; copies > 0; copies -= 1) {
      output[filled] = byte;
      filled += 1;
      crc = (crc << 8) ^ (crcTable[(crc >>> 24) ^ byte] as number);
    }
    if (filled < OUTPUT_BYTES - 256) continue;
    yield output.subarray(0, filled);
    output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    filled = 0;
  }
  if (filled > 0) yield output.subarray(0, filled);
  return ~crc >>> 0;
}

/** CRC-32 with the most significant bit first. */
const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  return crc;
});
