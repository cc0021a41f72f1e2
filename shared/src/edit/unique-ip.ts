// Other addresses in each loop, so that each loop makes flows of its own. The last 16 bits of every unicast address
// move by the same distance, which belongs to the loop: two ends that talked still talk, the network part stays (a
// private address stays private), and an address comes back after 65,536 loops only.
import type { WordChanges } from './checksum.ts';

/** Odd, so that all 65,536 distances come; near the golden ratio of the range, so that loops one after another lie far
 *  apart and do not meet in the hosts of one network. */
const STEP = 0x9e37;

export class UniqueIp {
  #distance = 0;

  /** @param loop 0 is the first, whose addresses stay */
  enterLoop(loop: number): void {
    this.#distance = ((loop % 0x1_0000) * STEP) & 0xffff;
  }

  /** @param at where an address lies; all of it must be there */
  move(bytes: Buffer, at: number, version: 4 | 6, changes: WordChanges): void {
    if (this.#distance === 0 || !(version === 4 ? isUnicastIpv4(bytes, at) : isUnicastIpv6(bytes, at)))
      return;
    const last = at + (version === 4 ? 2 : 14);
    changes.write(bytes, last, (bytes.readUInt16BE(last) + this.#distance) & 0xffff);
  }
}

/** Neither this network, loopback, multicast nor anything above it, broadcast included. */
function isUnicastIpv4(bytes: Buffer, at: number): boolean {
  const first = bytes.readUInt8(at);
  return first !== 0 && first !== 127 && first < 224;
}

/** Neither multicast nor of ::/16, where the unspecified and the loopback address lie. */
function isUnicastIpv6(bytes: Buffer, at: number): boolean {
  const first = bytes.readUInt16BE(at);
  return first !== 0 && first < 0xff00;
}
