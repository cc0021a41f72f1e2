// Which packets are one sensor's where a set is shared by flow: of every packet, as it was captured, the conversation it
// belongs to, as a hash that falls into one of the shares. All sensors read the same packets in the same order and so
// come to the same answer, without a word between them. No packet is without an answer, and nothing is allocated for one.
//
// A conversation: two addresses and a protocol, of TCP, UDP, DCCP, SCTP and UDP-Lite also two ports. Around it any VLAN
// tags, MPLS labels and PPPoE; tunnels by what they carry, or as one each.
//   An ICMP error goes with the packet that it quotes.
//   A fragment goes with the first one of its packet; where that was not seen, by addresses and, in IPv4, protocol.
//   ARP goes by its two IPv4 addresses; what is neither by MAC addresses and EtherType.
//   What cannot be read that far goes by what could be.
import { z } from 'zod';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import {
  ETHERNET_HEADER,
  FrameHeaders,
  PROTOCOL,
  skipTags,
  TYPE_ARP,
  TYPE_AT,
  TYPE_IPV4,
  TYPE_IPV6,
} from '../edit/headers.ts';
import type { EditablePacket } from '../edit/frame-editor.ts';
import { payloadType, replacedHeader } from '../edit/to-ethernet.ts';
import { FragmentKey, FragmentTable } from './fragment-table.ts';
import { hashEnd, hashPair, shareOf } from './hash.ts';
import { Tunnel, TYPE_BRIDGED } from './tunnel.ts';

export const flowShareSchema = z
  .object({
    /** This share is number `index` of so many. */
    index: z.int().nonnegative(),
    of: z.int().min(2).max(65_536),
    /** Whether what is in a tunnel goes by its own flow, or with all of the tunnel. */
    tunnels: z.enum(['inner', 'outer']),
  })
  .refine(({ index, of }) => index < of, 'a share beyond the last one');

export type FlowSharePlan = z.infer<typeof flowShareSchema>;

const TYPE_MPLS = 0x8847;
const TYPE_MPLS_UPSTREAM = 0x8848;
const TYPE_PPPOE = 0x8864;
const MPLS_CONTROL_WORD = 4;
const PPPOE_HEADER = 8;
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;
/** What is smaller is no EtherType but the length of a frame. */
const FIRST_TYPE = 0x0600;

/** TCP, UDP, DCCP, SCTP, UDP-Lite. */
const withPorts: ReadonlySet<number> = new Set([PROTOCOL.tcp, PROTOCOL.udp, 33, 132, 136]);
/** Unreachable, source quench, redirect, time exceeded, parameter problem; each quotes a packet behind 8 bytes. */
const icmpErrors: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
const ICMP_HEADER = 8;
/** Of ICMPv6, messages below this are errors. */
const FIRST_ICMPV6_INFORMATION = 128;

/** Layers that are followed: headers of Ethernet, MPLS, PPPoE and IP. */
const MOST_LAYERS = 16;

export class FlowShare {
  readonly #plan: FlowSharePlan;
  readonly #fragments = new FragmentTable();
  readonly #tunnel = new Tunnel();
  readonly #layers = Array.from({ length: MOST_LAYERS }, () => new FrameHeaders());
  readonly #keys = Array.from({ length: MOST_LAYERS }, () => new FragmentKey());
  /** Of `#keys`, those of packets whose first fragment the current packet is. */
  #begun = 0;
  #hash = 0;

  constructor(plan: FlowSharePlan) {
    this.#plan = plan;
  }

  /** Each loop is shared out as the first one was. */
  enterLoop(): void {
    this.#fragments.clear();
  }

  /** Whether the packet is this share's. Asked for every packet, in the order of the set. */
  owns(packet: EditablePacket): boolean {
    return shareOf(this.hashOf(packet), this.#plan.of) === this.#plan.index;
  }

  /** Of the conversation that the packet belongs to, 32 bits. */
  hashOf({ linkType, window, dataStart, capturedLength, wireLength }: EditablePacket): number {
    const end = dataStart + capturedLength;
    let type = TYPE_BRIDGED;
    let at = dataStart;
    if (linkType !== LINKTYPE_ETHERNET) {
      const onWire = Math.max(wireLength, capturedLength);
      type = payloadType(linkType, window, dataStart, capturedLength, onWire);
      at += replacedHeader(linkType);
    }
    this.#begun = 0;
    if (!this.#follow(window, type, at, end, 0)) this.#hash = hashPair(0, 0, isType(type) ? type : 0);
    for (let index = 0; index < this.#begun; index += 1)
      this.#fragments.put(this.#keys[index] as FragmentKey, this.#hash);
    return this.#hash;
  }

  /** Whether what lies at `at` could be read as what it is; its hash is `#hash` then. */
  #follow(bytes: Buffer, type: number, at: number, end: number, layer: number): boolean {
    if (layer === MOST_LAYERS) return false;
    switch (type) {
      case TYPE_BRIDGED:
        return this.#ethernet(bytes, at, end, layer);
      case TYPE_IPV4:
      case TYPE_IPV6:
      case TYPE_ARP:
        return this.#packet(bytes, type, at, end, layer);
      case TYPE_MPLS:
      case TYPE_MPLS_UPSTREAM:
        return this.#mpls(bytes, at, end, layer);
      case TYPE_PPPOE: {
        if (at + PPPOE_HEADER > end) return false;
        const protocol = bytes.readUInt16BE(at + 6);
        if (protocol !== PPP_IPV4 && protocol !== PPP_IPV6) return false;
        const inside = protocol === PPP_IPV4 ? TYPE_IPV4 : TYPE_IPV6;
        return this.#follow(bytes, inside, at + PPPOE_HEADER, end, layer + 1);
      }
      default:
        return false;
    }
  }

  #ethernet(bytes: Buffer, at: number, end: number, layer: number): boolean {
    if (at + ETHERNET_HEADER > end) return false;
    if (this.#behindEthernet(bytes, at, end, layer)) return true;
    const typeAt = skipTags(bytes, at + TYPE_AT, end);
    const type = typeAt < 0 ? 0 : bytes.readUInt16BE(typeAt);
    this.#hash = hashPair(hashEnd(bytes, at, 6, 0), hashEnd(bytes, at + 6, 6, 0), isType(type) ? type : 0);
    return true;
  }

  #behindEthernet(bytes: Buffer, at: number, end: number, layer: number): boolean {
    const typeAt = skipTags(bytes, at + TYPE_AT, end);
    return typeAt >= 0 && this.#follow(bytes, bytes.readUInt16BE(typeAt), typeAt + 2, end, layer + 1);
  }

  /** No field says what is behind the labels: a packet by its first bits, or a frame, with a control word or without. */
  #mpls(bytes: Buffer, start: number, end: number, layer: number): boolean {
    let at = start;
    do {
      if (at + 4 > end) return false;
      at += 4;
    } while ((bytes.readUInt8(at - 2) & 1) === 0);
    if (at >= end) return false;
    switch (bytes.readUInt8(at) >> 4) {
      case 4:
        return this.#follow(bytes, TYPE_IPV4, at, end, layer + 1);
      case 6:
        return this.#follow(bytes, TYPE_IPV6, at, end, layer + 1);
      default:
        return (
          this.#behindEthernet(bytes, at + MPLS_CONTROL_WORD, end, layer) ||
          this.#behindEthernet(bytes, at, end, layer)
        );
    }
  }

  #packet(bytes: Buffer, type: number, at: number, end: number, layer: number): boolean {
    const headers = this.#layers[layer] as FrameHeaders;
    headers.findPacket(bytes, type, at, end, end);
    if (headers.arp >= 0) {
      const sender = hashEnd(bytes, headers.arp + 14, 4, 0);
      this.#hash = hashPair(sender, hashEnd(bytes, headers.arp + 24, 4, 0), TYPE_ARP);
      return true;
    }
    if (headers.network < 0) return false;
    if (headers.identification >= 0 && this.#goesWithFirst(bytes, headers)) return true;
    if (isError(bytes, headers) && this.#follow(bytes, type, headers.transport + ICMP_HEADER, end, layer + 1))
      return true;
    const tunnel = this.#tunnel;
    const isTunnel = tunnel.find(bytes, headers, end);
    if (isTunnel && this.#plan.tunnels === 'inner') {
      if (this.#follow(bytes, tunnel.type, tunnel.at, end, layer + 1)) return true;
    }
    // The ports of a tunnel are not those of both of its directions.
    this.#hash = hashPacket(bytes, headers, end, !isTunnel);
    return true;
  }

  /** Whether it is a later fragment of a packet whose first one was seen. */
  #goesWithFirst(bytes: Buffer, { network, version, identification, protocol }: FrameHeaders): boolean {
    const key = this.#keys[this.#begun] as FragmentKey;
    if (version === 4) {
      const id = bytes.readUInt16BE(identification);
      key.set(bytes, network + 12, 8, id, bytes.readUInt8(network + 9));
    } else key.set(bytes, network + 8, 32, bytes.readUInt32BE(identification), 0);
    if (protocol >= 0) {
      this.#begun += 1;
      return false;
    }
    if (!this.#fragments.find(key)) return false;
    this.#hash = this.#fragments.flow;
    return true;
  }
}

function isType(type: number): boolean {
  return type >= FIRST_TYPE;
}

function isError(bytes: Buffer, { protocol, version, transport }: FrameHeaders): boolean {
  if (transport < 0) return false;
  if (protocol === PROTOCOL.icmp) return version === 4 && icmpErrors.has(bytes.readUInt8(transport));
  return (
    protocol === PROTOCOL.icmpv6 && version === 6 && bytes.readUInt8(transport) < FIRST_ICMPV6_INFORMATION
  );
}

function hashPacket(bytes: Buffer, headers: FrameHeaders, end: number, byPorts: boolean): number {
  const { network, version, transport, packetEnd } = headers;
  // A later fragment of IPv4 tells what is in it; one of IPv6 need not tell the truth.
  const protocol = version === 4 ? bytes.readUInt8(network + 9) : Math.max(0, headers.protocol);
  const hasPorts =
    byPorts && transport >= 0 && withPorts.has(protocol) && transport + 4 <= Math.min(end, packetEnd);
  const from = hasPorts ? bytes.readUInt16BE(transport) : 0;
  const to = hasPorts ? bytes.readUInt16BE(transport + 2) : 0;
  const size = version === 4 ? 4 : 16;
  const addresses = version === 4 ? network + 12 : network + 8;
  return hashPair(
    hashEnd(bytes, addresses, size, from),
    hashEnd(bytes, addresses + size, size, to),
    protocol,
  );
}
