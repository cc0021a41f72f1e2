// Which received packet is which sent one. Packets are known by their bytes. Of those that share their bytes (every
// packet of a set that is played in loops does), as many are matched as both sides have, in order: where all arrived,
// the third sent is the third received. Where some are missing or came twice, the one whose time fits is taken, so
// that one lost packet does not shift all its equals. Memory is some tens of bytes per packet, whatever their sizes.
import { int32List } from './number-list.ts';

export const NONE = -1;
/** Share of the table that may be in use before it grows. */
const LOAD = 0.5;
/** Equals with no better time than the one at hand are looked past so far. */
const LONGEST_SCAN = 1000;

/** A packet's bytes as one number: an integer, never 0 (see digest.ts). */
export type Digest = number;

export class Matching {
  /** Open addressing: digest, and the group of all packets of that digest. */
  #digests = new Float64Array(1024);
  #groups = new Int32Array(1024);
  #used = 0;
  readonly #sent = new Chains();
  readonly #received = new Chains();

  /** Adds the next packet that was to be sent. */
  add(digest: Digest): void {
    if (this.#used >= LOAD * this.#digests.length) this.#grow();
    const slot = this.#slot(digest);
    if (this.#digests[slot] === 0) {
      this.#digests[slot] = digest;
      this.#groups[slot] = this.#used;
      this.#used += 1;
      this.#sent.addGroup();
      this.#received.addGroup();
    }
    this.#sent.add(this.#groups[slot] as number);
  }

  /** Adds the next packet that was received, after all that were sent. False, and not added, where none has its bytes. */
  receive(digest: Digest): boolean {
    const slot = this.#slot(digest);
    if (this.#digests[slot] !== digest) return false;
    this.#received.add(this.#groups[slot] as number);
    return true;
  }

  /**
   * @param due when each sent packet was due
   * @param at when each received packet (of those that were added) arrived; the clocks may differ by any distance
   * @returns of each received packet, in order, the sent one; NONE for one more than were sent
   */
  pair(due: Float64Array, at: Float64Array): Int32Array<ArrayBuffer> {
    const [sent, received] = [this.#sent, this.#received];
    const partners = new Int32Array(at.length).fill(NONE);
    const free = sent.heads();
    const spare = Int32Array.from({ length: this.#used }, (_, group) =>
      Math.abs(sent.count(group) - received.count(group)),
    );
    // Without times in the plan, places in the sequence stand for them.
    const isTimed = due.some((time) => time !== due[0]);
    const dueOf = (index: number): number => (isTimed ? (due[index] as number) : index);
    const atOf = (index: number): number => (isTimed ? (at[index] as number) : index);
    // From the plan's clock to that of the receiver, as the packet before had it.
    let offset = this.#firstOffset(dueOf, atOf, at.length);
    for (let index = 0; index < at.length; index += 1) {
      const group = received.groupOf(index);
      let partner = free[group] as number;
      if (partner === NONE) continue;
      const expected = atOf(index) - offset;
      if ((spare[group] as number) > 0) {
        if (sent.count(group) > received.count(group)) {
          const { found, skipped } = this.#nearest(partner, expected, spare[group] as number, dueOf);
          partner = found;
          spare[group] = (spare[group] as number) - skipped;
        } else {
          const next = received.next(index);
          const miss = Math.abs(expected - dueOf(partner));
          if (next !== NONE && Math.abs(atOf(next) - offset - dueOf(partner)) < miss) {
            spare[group] = (spare[group] as number) - 1;
            continue;
          }
        }
      }
      partners[index] = partner;
      free[group] = sent.next(partner);
      offset = atOf(index) - dueOf(partner);
    }
    return partners;
  }

  /** Of the first packet whose equals all arrived; where there is none, of the first at all. */
  #firstOffset(
    dueOf: (index: number) => number,
    atOf: (index: number) => number,
    receivedPackets: number,
  ): number {
    for (let index = 0; index < receivedPackets; index += 1) {
      const group = this.#received.groupOf(index);
      if (this.#sent.count(group) === this.#received.count(group) && this.#received.head(group) === index) {
        return atOf(index) - dueOf(this.#sent.head(group));
      }
    }
    return receivedPackets === 0 ? 0 : atOf(0) - dueOf(this.#sent.head(this.#received.groupOf(0)));
  }

  /** The sent packet, from `first` on and at most `most` of its equals behind it, whose time is nearest. */
  #nearest(
    first: number,
    expected: number,
    most: number,
    dueOf: (index: number) => number,
  ): { readonly found: number; readonly skipped: number } {
    let found = first;
    let skipped = 0;
    let least = Math.abs(expected - dueOf(first));
    let next = this.#sent.next(first);
    for (let steps = 1; next !== NONE && steps <= most && steps - skipped < LONGEST_SCAN; steps += 1) {
      const miss = Math.abs(expected - dueOf(next));
      if (miss > least) break;
      if (miss < least) {
        found = next;
        skipped = steps;
        least = miss;
      }
      next = this.#sent.next(next);
    }
    return { found, skipped };
  }

  #slot(digest: Digest): number {
    const mask = this.#digests.length - 1;
    let slot = (digest % 4_294_967_291) & mask;
    while (this.#digests[slot] !== 0 && this.#digests[slot] !== digest) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const before = { digests: this.#digests, groups: this.#groups };
    const size = 2 * before.digests.length;
    this.#digests = new Float64Array(size);
    this.#groups = new Int32Array(size);
    for (let from = 0; from < before.digests.length; from += 1) {
      const digest = before.digests[from] as number;
      if (digest === 0) continue;
      const slot = this.#slot(digest);
      this.#digests[slot] = digest;
      this.#groups[slot] = before.groups[from] as number;
    }
  }
}

/** Packets of one side in order, chained by group. */
class Chains {
  readonly #heads = int32List();
  readonly #tails = int32List();
  readonly #counts = int32List();
  readonly #groups = int32List();
  readonly #next = int32List();

  addGroup(): void {
    this.#heads.push(NONE);
    this.#tails.push(NONE);
    this.#counts.push(0);
  }

  add(group: number): void {
    const index = this.#next.length;
    this.#next.push(NONE);
    this.#groups.push(group);
    const tail = this.#tails.at(group);
    if (tail === NONE) this.#heads.set(group, index);
    else this.#next.set(tail, index);
    this.#tails.set(group, index);
    this.#counts.set(group, this.#counts.at(group) + 1);
  }

  groupOf(index: number): number {
    return this.#groups.at(index);
  }

  next(index: number): number {
    return this.#next.at(index);
  }

  head(group: number): number {
    return this.#heads.at(group);
  }

  /** A copy, by group. */
  heads(): Int32Array<ArrayBuffer> {
    return this.#heads.view().slice();
  }

  count(group: number): number {
    return this.#counts.at(group);
  }
}
