// What flow the first fragment of a packet belonged to, for those that follow it and have no ports. A table of one size:
// each packet has one place in it, and one that comes later takes the place of one that has the same. What it answers
// depends on nothing but the packets that were told before, so that all who see the same ones are answered alike.
import { hashEnd, mix } from './hash.ts';

/** A power of two: datagrams whose fragments may lie between each other's. */
const PLACES = 1 << 14;

export class FragmentTable {
  /** Two hashes of what the fragments of one packet have in common, and the flow's. */
  readonly #first = new Int32Array(PLACES);
  readonly #second = new Int32Array(PLACES);
  readonly #flows = new Int32Array(PLACES);

  /** Hash of the flow that was found last. */
  flow = 0;

  clear(): void {
    this.#first.fill(0);
    this.#second.fill(0);
    this.#flows.fill(0);
  }

  /** @param flow hash of the packet that `key` is of */
  put(key: FragmentKey, flow: number): void {
    const place = key.first & (PLACES - 1);
    this.#first[place] = key.first;
    this.#second[place] = key.second;
    this.#flows[place] = flow;
  }

  /** Whether the first fragment of this packet was seen, and its flow is `flow` now. */
  find({ first, second }: FragmentKey): boolean {
    const place = first & (PLACES - 1);
    if (this.#first[place] !== first || this.#second[place] !== second) return false;
    this.flow = this.#flows[place] as number;
    return true;
  }
}

/** What all fragments of one packet have in common, as 64 bits that hardly any other packet has. */
export class FragmentKey {
  first = 0;
  second = 0;

  /**
   * @param addresses where both lie, one behind the other, so many bytes together
   * @param identification 16 bits of IPv4, 32 of IPv6
   */
  set(bytes: Buffer, addresses: number, length: number, identification: number, protocol: number): void {
    this.first = hashEnd(bytes, addresses, length, mix(identification, protocol));
    // Zero in both is an empty place.
    this.second = hashEnd(bytes, addresses, length, mix(protocol, ~identification)) | 1;
  }
}
