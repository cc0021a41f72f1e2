// What a packet carries inside, where it is one of a tunnel: IP in IP, GRE (RFC 2784, 2890) with ERSPAN II and III, VXLAN
// (RFC 7348), GENEVE (RFC 8926), GTP-U (3GPP TS 29.281). Every position is held against the end of what is there. One
// object serves all packets.
import { PROTOCOL, TYPE_IPV4, TYPE_IPV6, type FrameHeaders } from '../edit/headers.ts';

/** EtherType of a whole Ethernet frame (transparent Ethernet bridging). */
export const TYPE_BRIDGED = 0x6558;
const TYPE_ERSPAN2 = 0x88be;
const TYPE_ERSPAN3 = 0x22eb;

const IPV4_IN_IP = 4;
const IPV6_IN_IP = 41;
const GRE = 47;

const VXLAN_PORT = 4789;
/** What Linux took before there was a standard, and still does where it is not told. */
const OLD_VXLAN_PORT = 8472;
const GENEVE_PORT = 6081;
const GTP_PORT = 2152;

const UDP_HEADER = 8;
/** A message of GTP-U that holds a user's packet. */
const GTP_PACKET = 255;
const MOST_GTP_EXTENSIONS = 8;

export class Tunnel {
  /** EtherType of what is inside, and where it begins. */
  type = 0;
  at = 0;

  /** Whether the packet is one of a tunnel. */
  find(bytes: Buffer, { protocol, transport, packetEnd }: FrameHeaders, end: number): boolean {
    if (transport < 0) return false;
    const last = Math.min(end, packetEnd);
    switch (protocol) {
      case IPV4_IN_IP:
        return this.#is(TYPE_IPV4, transport);
      case IPV6_IN_IP:
        return this.#is(TYPE_IPV6, transport);
      case GRE:
        return this.#findGre(bytes, transport, last);
      case PROTOCOL.udp:
        return this.#findUdp(bytes, transport, last);
      default:
        return false;
    }
  }

  #is(type: number, at: number): true {
    this.type = type;
    this.at = at;
    return true;
  }

  #findGre(bytes: Buffer, at: number, end: number): boolean {
    if (at + 4 > end) return false;
    const flags = bytes.readUInt16BE(at);
    const type = bytes.readUInt16BE(at + 2);
    // Another version, or a source route, which nobody sends.
    if ((flags & 0x4007) !== 0) return false;
    const hasSequence = (flags & 0x1000) !== 0;
    const words = 1 + (flags >>> 15) + ((flags >>> 13) & 1) + Number(hasSequence);
    const inside = at + 4 * words;
    // Without a sequence number there is no header of ERSPAN: it is the first version.
    if (type === TYPE_ERSPAN2) return this.#is(TYPE_BRIDGED, inside + (hasSequence ? 8 : 0));
    if (type !== TYPE_ERSPAN3) return this.#is(type, inside);
    if (inside + 12 > end) return false;
    const hasSubheader = (bytes.readUInt8(inside + 11) & 1) !== 0;
    return this.#is(TYPE_BRIDGED, inside + (hasSubheader ? 20 : 12));
  }

  #findUdp(bytes: Buffer, at: number, end: number): boolean {
    const inside = at + UDP_HEADER;
    if (inside + 8 > end) return false;
    switch (bytes.readUInt16BE(at + 2)) {
      case VXLAN_PORT:
      case OLD_VXLAN_PORT:
        // A network is given, perhaps a group policy, too; the last byte is reserved.
        if ((bytes.readUInt8(inside) & 0x7f) !== 0x08 || bytes.readUInt8(inside + 7) !== 0) return false;
        return this.#is(TYPE_BRIDGED, inside + 8);
      case GENEVE_PORT: {
        const version = bytes.readUInt8(inside) >> 6;
        if (version !== 0 || (bytes.readUInt8(inside + 1) & 0x3f) !== 0) return false;
        const optionBytes = (bytes.readUInt8(inside) & 0x3f) * 4;
        return this.#is(bytes.readUInt16BE(inside + 2), inside + 8 + optionBytes);
      }
      case GTP_PORT:
        return this.#findGtp(bytes, inside, end);
      default:
        return false;
    }
  }

  #findGtp(bytes: Buffer, start: number, end: number): boolean {
    const flags = bytes.readUInt8(start);
    // Version 1 of GTP itself, not its prime.
    if (flags >> 4 !== 3 || bytes.readUInt8(start + 1) !== GTP_PACKET) return false;
    let at = start + 8;
    if ((flags & 7) !== 0) {
      at += 4;
      if (at > end) return false;
      let next = (flags & 4) === 0 ? 0 : bytes.readUInt8(at - 1);
      for (let extension = 0; next !== 0; extension += 1) {
        if (at >= end || extension === MOST_GTP_EXTENSIONS) return false;
        const size = bytes.readUInt8(at) * 4;
        if (size === 0 || at + size > end) return false;
        at += size;
        next = bytes.readUInt8(at - 1);
      }
    }
    if (at >= end) return false;
    const version = bytes.readUInt8(at) >> 4;
    return version === 4 ? this.#is(TYPE_IPV4, at) : version === 6 && this.#is(TYPE_IPV6, at);
  }
}
