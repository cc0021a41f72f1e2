// IP addresses mapped by prefix; the bits behind the prefix stay as they are. An address is mapped once: by the first
// rule whose prefix it has.
import { maskByte, parsePrefix } from './address.ts';
import type { WordChanges } from './checksum.ts';
import type { EditPlan } from './edit-plan.ts';

interface Rule {
  /** Words of the prefix, of what it becomes, and of the bits that it has. */
  readonly from: Uint16Array;
  readonly to: Uint16Array;
  readonly mask: Uint16Array;
}

export class IpMap {
  readonly #ipv4: readonly Rule[];
  readonly #ipv6: readonly Rule[];

  constructor(rules: EditPlan['ipMap']) {
    const compiled = rules.map(({ from, to }) => ruleOf(from, to));
    this.#ipv4 = compiled.filter(({ from }) => from.length === 2);
    this.#ipv6 = compiled.filter(({ from }) => from.length === 8);
  }

  /** @param at where an address lies; all of it must be there */
  map(bytes: Buffer, at: number, version: 4 | 6, changes: WordChanges): void {
    for (const { from, to, mask } of version === 4 ? this.#ipv4 : this.#ipv6) {
      if (!matches(bytes, at, from, mask)) continue;
      for (let word = 0; word < from.length; word += 1) {
        const rest = bytes.readUInt16BE(at + 2 * word) & ~(mask[word] as number);
        changes.write(bytes, at + 2 * word, rest | (to[word] as number));
      }
      return;
    }
  }
}

function matches(bytes: Buffer, at: number, from: Uint16Array, mask: Uint16Array): boolean {
  for (let word = 0; word < from.length; word += 1)
    if ((bytes.readUInt16BE(at + 2 * word) & (mask[word] as number)) !== from[word]) return false;
  return true;
}

function ruleOf(from: string, to: string): Rule {
  const [a, b] = [parsePrefix(from), parsePrefix(to)];
  if (a?.bits === undefined || a.bits !== b?.bits || a.bytes.length !== b.bytes.length)
    throw new RangeError(`cannot map ${from} onto ${to}`);
  return {
    from: wordsOf(a.bytes),
    to: wordsOf(b.bytes),
    mask: wordsOf(a.bytes.map((_, index) => maskByte(a.bits, index))),
  };
}

function wordsOf(bytes: readonly number[]): Uint16Array {
  return Uint16Array.from({ length: bytes.length / 2 }, (_, word) => {
    return ((bytes[2 * word] as number) << 8) | (bytes[2 * word + 1] as number);
  });
}
