// Huffman codes of bzip2: a table of lengths read into a canonical code, and symbols read with it.
import { damage, room, type BitSource } from './bzip2-bits.ts';

const LONGEST_CODE = 20;

/** A canonical Huffman code: for each length, the first code beyond it (aligned to the longest), and an offset. */
export interface Codes {
  readonly shortest: number;
  readonly beyond: Int32Array;
  readonly offset: Int32Array;
  readonly symbols: Uint16Array;
}

export function* readCodes(bits: BitSource, symbolCount: number): Generator<'more', Codes, undefined> {
  const lengths = new Uint8Array(symbolCount);
  yield* room(bits);
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbolCount; symbol += 1) {
    yield* room(bits);
    // A step is two bits; a code that goes up and down without end is none.
    for (let steps = 0; bits.read(1) === 1; steps += 1) {
      length += bits.read(1) === 0 ? 1 : -1;
      if (steps > 2 * LONGEST_CODE) throw damage(bits, 'a code table is damaged');
    }
    if (length < 1 || length > LONGEST_CODE) throw damage(bits, 'a code table is damaged');
    lengths[symbol] = length;
  }
  return codesOf(lengths);
}

function codesOf(lengths: Uint8Array): Codes {
  const beyond = new Int32Array(LONGEST_CODE + 2);
  const offset = new Int32Array(LONGEST_CODE + 1);
  const symbols = new Uint16Array(lengths.length);
  let shortest = LONGEST_CODE;
  let code = 0;
  let placed = 0;
  for (let length = 1; length <= LONGEST_CODE; length += 1) {
    offset[length] = placed - code;
    for (const [symbol, its] of lengths.entries()) {
      if (its !== length) continue;
      symbols[placed] = symbol;
      placed += 1;
      code += 1;
      shortest = Math.min(shortest, length);
    }
    beyond[length] = code << (LONGEST_CODE - length);
    code <<= 1;
  }
  // Codes that are none are longer than the longest.
  beyond[LONGEST_CODE + 1] = 2 ** LONGEST_CODE;
  return { shortest, beyond, offset, symbols };
}

export function readSymbol(bits: BitSource, { shortest, beyond, offset, symbols }: Codes): number {
  const code = bits.peek(LONGEST_CODE);
  let length = shortest;
  while (code >= (beyond[length] as number)) length += 1;
  const symbol =
    length > LONGEST_CODE
      ? undefined
      : symbols[(code >> (LONGEST_CODE - length)) + (offset[length] as number)];
  if (symbol === undefined) throw damage(bits, 'a code is in no table');
  bits.skip(length);
  return symbol;
}
