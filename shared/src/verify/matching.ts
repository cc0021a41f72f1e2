// Which received packet is which sent one. Packets of the same bytes are told apart by their order: the third one sent
// is the third one received. Memory is some tens of bytes per packet, whatever the packets' sizes.

const NONE = -1;
/** Share of the table that may be in use before it grows. */
const LOAD = 0.5;

/** A packet's bytes as one number: an integer, never 0 (see digest.ts). */
export type Digest = number;

/** Sent packets wait in here, by their bytes, for the received ones. */
export class Matching {
  /** Open addressing: digest, first and last waiting packet of that digest. */
  #digests = new Float64Array(1024);
  #heads = new Int32Array(1024).fill(NONE);
  #tails = new Int32Array(1024).fill(NONE);
  #used = 0;
  /** Per sent packet the next one of the same bytes. */
  #next = new Int32Array(1024);
  #sent = 0;

  /** Adds the next packet that was sent. */
  add(digest: Digest): void {
    if (this.#used >= LOAD * this.#digests.length) this.#grow();
    if (this.#sent === this.#next.length) this.#next = doubled(this.#next);
    const index = this.#sent;
    this.#sent += 1;
    this.#next[index] = NONE;
    const slot = this.#slot(digest);
    if (this.#digests[slot] === 0) {
      this.#digests[slot] = digest;
      this.#used += 1;
    }
    if (this.#heads[slot] === NONE) this.#heads[slot] = index;
    else this.#next[this.#tails[slot] as number] = index;
    this.#tails[slot] = index;
  }

  /** The first sent packet of these bytes that no received one was matched with, or -1. Takes it. */
  take(digest: Digest): number {
    const slot = this.#slot(digest);
    const head = this.#digests[slot] === digest ? (this.#heads[slot] as number) : NONE;
    if (head !== NONE) this.#heads[slot] = this.#next[head] as number;
    return head;
  }

  #slot(digest: Digest): number {
    const mask = this.#digests.length - 1;
    let slot = (digest % 4_294_967_291) & mask;
    while (this.#digests[slot] !== 0 && this.#digests[slot] !== digest) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const before = { digests: this.#digests, heads: this.#heads, tails: this.#tails };
    const size = 2 * before.digests.length;
    this.#digests = new Float64Array(size);
    this.#heads = new Int32Array(size).fill(NONE);
    this.#tails = new Int32Array(size).fill(NONE);
    for (const [index, digest] of before.digests.entries()) {
      if (digest === 0) continue;
      const slot = this.#slot(digest);
      this.#digests[slot] = digest;
      this.#heads[slot] = before.heads[index] as number;
      this.#tails[slot] = before.tails[index] as number;
    }
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
