// Where the headers of an Ethernet frame lie: behind VLAN tags ARP, or IPv4 or IPv6 with its extension headers, then
// TCP, UDP or ICMP. Every position was held against the end of the frame; what is cut off or not followed (LLC, MPLS,
// PPPoE, tunnels, what is behind ESP) is not there. One object serves all frames, and packets that lie elsewhere.

export const ETHERNET_HEADER = 14;
export const VLAN_TAG = 4;
/** Of the EtherType in a frame without tags. */
export const TYPE_AT = 12;

export const TYPE_IPV4 = 0x0800;
export const TYPE_ARP = 0x0806;
export const TYPE_IPV6 = 0x86dd;
const ARP_BYTES = 28;
/** Ethernet and IPv4 addresses: hardware type, protocol type, lengths. */
const ARP_OF_IPV4 = [0x0001, 0x0800, 0x0604] as const;

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, destination options, mobility, host identity, shim6. */
const extensions: ReadonlySet<number> = new Set([0, ROUTING, 60, 135, 139, 140]);

export function isVlanType(type: number): boolean {
  return type === 0x8100 || type === 0x88a8 || type === 0x9100;
}

/** @returns where the EtherType behind all tags lies; −1: it is not there */
export function skipTags(bytes: Buffer, typeAt: number, end: number): number {
  let at = typeAt;
  for (;;) {
    if (at + 2 > end) return -1;
    if (!isVlanType(bytes.readUInt16BE(at))) return at;
    at += VLAN_TAG;
  }
}

export class FrameHeaders {
  /** Start of the IP header, whose fixed part is there; −1: no such header. */
  network = -1;
  version: 4 | 6 = 4;
  /** End of the IP header without extensions. */
  networkEnd = -1;
  /** Start of an ARP packet of Ethernet and IPv4 addresses; −1: none. */
  arp = -1;
  /** Start of what is in the IP packet, one byte of which is there; −1: none, or the fragment is not the first. */
  transport = -1;
  protocol = -1;
  /** End of the IP packet as it says itself, or as the frame does where it does not; may lie behind what is there. */
  packetEnd = -1;
  /** Whether the packet is a part of one only. */
  fragmented = false;
  /** Start of what the parts of one packet have in common, its identification; −1: it is whole. */
  identification = -1;
  /** Whether the destination address is that of a way station, which no checksum covers. */
  routed = false;

  /**
   * @param end of what is there
   * @param wireEnd where the frame ended on the wire
   */
  find(bytes: Buffer, start: number, end: number, wireEnd: number): void {
    const typeAt = skipTags(bytes, start + TYPE_AT, end);
    const type = typeAt < 0 ? 0 : bytes.readUInt16BE(typeAt);
    this.findPacket(bytes, type, typeAt + 2, end, wireEnd);
  }

  /**
   * As `find`, for what is behind the Ethernet header or lies without one.
   * @param type its EtherType
   */
  findPacket(bytes: Buffer, type: number, at: number, end: number, wireEnd: number): void {
    this.network = -1;
    this.networkEnd = -1;
    this.arp = -1;
    this.transport = -1;
    this.protocol = -1;
    this.packetEnd = -1;
    this.fragmented = false;
    this.identification = -1;
    this.routed = false;
    if (type === TYPE_IPV4) this.#findIpv4(bytes, at, end, wireEnd);
    else if (type === TYPE_IPV6) this.#findIpv6(bytes, at, end, wireEnd);
    else if (type === TYPE_ARP && at + ARP_BYTES <= end && isArpOfIpv4(bytes, at)) this.arp = at;
  }

  #findIpv4(bytes: Buffer, at: number, end: number, wireEnd: number): void {
    if (at + 20 > end || bytes.readUInt8(at) >> 4 !== 4) return;
    const headerBytes = (bytes.readUInt8(at) & 0x0f) * 4;
    if (headerBytes < 20) return;
    this.network = at;
    this.version = 4;
    this.networkEnd = at + headerBytes;
    // Zero where the sending interface was to cut the packet in segments (TSO).
    const totalBytes = bytes.readUInt16BE(at + 2);
    this.packetEnd = totalBytes === 0 ? wireEnd : at + totalBytes;
    const fragment = bytes.readUInt16BE(at + 6);
    this.fragmented = (fragment & 0x3fff) !== 0;
    if (this.fragmented) this.identification = at + 4;
    if ((fragment & 0x1fff) !== 0) return;
    this.protocol = bytes.readUInt8(at + 9);
    if (this.networkEnd < Math.min(end, this.packetEnd)) this.transport = this.networkEnd;
  }

  #findIpv6(bytes: Buffer, at: number, end: number, wireEnd: number): void {
    if (at + 40 > end || bytes.readUInt8(at) >> 4 !== 6) return;
    this.network = at;
    this.version = 6;
    this.networkEnd = at + 40;
    // Zero for a jumbogram, and with TSO.
    const payloadBytes = bytes.readUInt16BE(at + 4);
    this.packetEnd = payloadBytes === 0 ? wireEnd : this.networkEnd + payloadBytes;
    const last = Math.min(end, this.packetEnd);
    let next = bytes.readUInt8(at + 6);
    let here = this.networkEnd;
    for (;;) {
      const isFragment = next === FRAGMENT;
      if (!isFragment && next !== AUTHENTICATION && !extensions.has(next)) break;
      if (here + 8 > last) return;
      const units = bytes.readUInt8(here + 1);
      if (isFragment) {
        const fragment = bytes.readUInt16BE(here + 2);
        if ((fragment & 0xfff9) !== 0) {
          this.fragmented = true;
          this.identification = here + 4;
        }
        if ((fragment & 0xfff8) !== 0) return;
      }
      // Segments left.
      if (next === ROUTING && bytes.readUInt8(here + 3) !== 0) this.routed = true;
      const size = isFragment ? 8 : next === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
      next = bytes.readUInt8(here);
      here += size;
    }
    this.protocol = next;
    if (here < last) this.transport = here;
  }
}

function isArpOfIpv4(bytes: Buffer, at: number): boolean {
  return (
    bytes.readUInt16BE(at) === ARP_OF_IPV4[0] &&
    bytes.readUInt16BE(at + 2) === ARP_OF_IPV4[1] &&
    bytes.readUInt16BE(at + 4) === ARP_OF_IPV4[2]
  );
}
