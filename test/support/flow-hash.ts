/**
 * A symmetric flow hash over an Ethernet frame: both directions of a conversation give the same number, the way
 * capture programs share packets out to their threads. By addresses, ports and protocol; fragments by addresses
 * and protocol, since only the first one has ports; what is not IP by the pair of MAC addresses. It looks through
 * 802.1Q and 802.1ad tags, and a frame cut too short is hashed by what is left.
 */

const TAGS = new Set([0x8100, 0x88a8, 0x9100]);
const WITH_PORTS = new Set([6, 17, 132]);
/** IPv6 extension headers with a length: hop-by-hop, routing, destination options. */
const IPV6_OPTIONS = new Set([0, 43, 60]);
const IPV6_FRAGMENT = 44;
const NO_PORTS = -1;

/** 0 … 2^32 − 1; equal for both directions. */
export function flowHash(frame: Uint8Array): number {
  if (frame.length < 14) return finish(mixRange(0, frame, 0, frame.length));
  let at = 12;
  while (TAGS.has(uint16(frame, at)) && frame.length >= at + 6) at += 4;
  const type = uint16(frame, at);
  const ip = at + 2;
  if (type === 0x0800 && frame.length >= ip + 20) return ipv4Hash(frame, ip);
  if (type === 0x86dd && frame.length >= ip + 40) return ipv6Hash(frame, ip);
  return pairHash(frame, 0, 6, 6, NO_PORTS, 0);
}

function ipv4Hash(frame: Uint8Array, ip: number): number {
  const protocol = frame[ip + 9] as number;
  const fragment = (uint16(frame, ip + 6) & 0x3fff) !== 0;
  const ports = ip + ((frame[ip] as number) & 0x0f) * 4;
  const usable = !fragment && WITH_PORTS.has(protocol) && frame.length >= ports + 4;
  return pairHash(frame, ip + 12, ip + 16, 4, usable ? ports : NO_PORTS, protocol);
}

function ipv6Hash(frame: Uint8Array, ip: number): number {
  let protocol = frame[ip + 6] as number;
  let at = ip + 40;
  while (IPV6_OPTIONS.has(protocol) && frame.length >= at + 8) {
    protocol = frame[at] as number;
    at += 8 + (frame[at + 1] as number) * 8;
  }
  const fragment = protocol === IPV6_FRAGMENT && frame.length >= at + 8;
  if (fragment) protocol = frame[at] as number;
  const usable = !fragment && WITH_PORTS.has(protocol) && frame.length >= at + 4;
  return pairHash(frame, ip + 8, ip + 24, 16, usable ? at : NO_PORTS, protocol);
}

/** Hashes two addresses (and two ports at `ports`) with the smaller end first. */
function pairHash(
  frame: Uint8Array,
  first: number,
  second: number,
  length: number,
  ports: number,
  protocol: number,
): number {
  let order = 0;
  for (let i = 0; i < length && order === 0; i++)
    order = byteAt(frame, first + i) - byteAt(frame, second + i);
  if (order === 0 && ports >= 0) order = uint16(frame, ports) - uint16(frame, ports + 2);
  const [low, high] = order <= 0 ? [first, second] : [second, first];

  let hash = mixRange(mixRange(protocol, frame, low, low + length), frame, high, high + length);
  if (ports >= 0) {
    const [lowPort, highPort] = order <= 0 ? [ports, ports + 2] : [ports + 2, ports];
    hash = mixRange(mixRange(hash, frame, lowPort, lowPort + 2), frame, highPort, highPort + 2);
  }
  return finish(hash);
}

function mixRange(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ byteAt(bytes, i), 0x01000193) + 0x27d4eb2f;
  return hash;
}

/** Spreads all bits, so that a remainder by a small number is even. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] as number;
const uint16 = (bytes: Uint8Array, at: number): number => (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
