// Splits an Ethernet frame with more TCP payload than an interface takes, as hosts with segmentation offload capture
// them, into the segments that their network card would have made of it. Each fits, and is right by itself: lengths,
// identification, sequence number, flags, checksums. IPv4 (RFC 791), IPv6 (RFC 8200, jumbograms RFC 2675), TCP
// (RFC 9293), behind any number of VLAN tags. No allocation per frame: the segments come one by one in one buffer.
import { checksumOf, sumOf } from '@capfleet/shared/edit/checksum';
import { isVlanType, PROTOCOL, TYPE_AT, TYPE_IPV4, TYPE_IPV6, VLAN_TAG } from '@capfleet/shared/edit/headers';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const LARGEST_PACKET = 0xffff;
/** More fragments, and where this one lies. */
const FRAGMENT_BITS = 0x3fff;
const HOP_BY_HOP = 0;
const DESTINATION_OPTIONS = 60;
/** A hop-by-hop header that holds the length of a jumbogram and nothing else. */
const JUMBO_HEADER = 8;
const JUMBO_OPTION = 0xc204;

const TCP_HEADER = 20;
const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const PSH = 0x08;
const URG = 0x20;
const CWR = 0x80;

export class TcpSegmenter {
  /** Holds the current segment, from its start. */
  bytes: Buffer = Buffer.alloc(0);
  /** Bytes of the current segment. */
  length = 0;
  /** Number of the current segment, from 0. */
  index = 0;

  #source: Buffer = this.bytes;
  // Of the frame that is being split: where its payload lies, how much there is, how much of it fits into a segment.
  #payload = 0;
  #payloadBytes = 0;
  #room = 0;
  /** Whether the capture holds the payload to its end. */
  #whole = true;
  // Of the segments: where the headers lie in them, and what counts on from the first one.
  #isIpv4 = true;
  #ip = 0;
  #tcp = 0;
  #headerBytes = 0;
  #identification = 0;
  #sequence = 0;
  #flags = 0;
  /** Sum over addresses and protocol of the pseudo header. */
  #pseudoSum = 0;

  /**
   * Takes a frame, which stays as it is until its last segment was made, and stands at the first segment.
   * @param captured bytes of the frame that are there; `wire` is how many it had
   * @param limit bytes that a segment may have, Ethernet header included
   * @returns false for a frame that cannot be split: no TCP, a fragment, its headers are cut off, it opens or resets a
   *   connection or holds urgent data
   */
  begin(source: Buffer, start: number, captured: number, wire: number, limit: number): boolean {
    const end = start + captured;
    let type = start + TYPE_AT;
    while (type + 2 <= end && isVlanType(source.readUInt16BE(type))) type += VLAN_TAG;
    const ip = type + 2;
    if (ip + IPV4_HEADER > end) return false;
    let tcp: number;
    /** Where the packet ends by its own account; captures with offload have 0 for what 16 bits do not hold. */
    let packetEnd: number;
    /** Of the IPv6 headers, what the segments do without. */
    let dropped = 0;
    switch (source.readUInt16BE(type)) {
      case TYPE_IPV4: {
        const headerBytes = ((source[ip] as number) & 0x0f) * 4;
        const total = source.readUInt16BE(ip + 2);
        if ((source[ip] as number) >> 4 !== 4 || headerBytes < IPV4_HEADER || source[ip + 9] !== PROTOCOL.tcp)
          return false;
        if ((source.readUInt16BE(ip + 6) & FRAGMENT_BITS) !== 0) return false;
        tcp = ip + headerBytes;
        packetEnd = total === 0 ? start + wire : ip + total;
        this.#isIpv4 = true;
        this.#identification = source.readUInt16BE(ip + 4);
        break;
      }
      case TYPE_IPV6: {
        if (ip + IPV6_HEADER > end || (source[ip] as number) >> 4 !== 6) return false;
        const length = source.readUInt16BE(ip + 4);
        packetEnd = length === 0 ? start + wire : ip + IPV6_HEADER + length;
        let next = source[ip + 6] as number;
        tcp = ip + IPV6_HEADER;
        while ((next === HOP_BY_HOP || next === DESTINATION_OPTIONS) && tcp + 8 <= end) {
          if (next === HOP_BY_HOP && tcp === ip + IPV6_HEADER && length === 0 && isJumbo(source, tcp)) {
            packetEnd = ip + IPV6_HEADER + source.readUInt32BE(tcp + 4);
            dropped = JUMBO_HEADER;
          }
          next = source[tcp] as number;
          tcp += ((source[tcp + 1] as number) + 1) * 8;
        }
        if (next !== PROTOCOL.tcp) return false;
        this.#isIpv4 = false;
        break;
      }
      default:
        return false;
    }
    if (tcp + TCP_HEADER > end) return false;
    const tcpBytes = ((source[tcp + 12] as number) >> 4) * 4;
    const payload = tcp + tcpBytes;
    if (tcpBytes < TCP_HEADER || payload > end || payload > packetEnd) return false;
    this.#flags = source[tcp + 13] as number;
    if ((this.#flags & (SYN | RST | URG)) !== 0) return false;

    this.#ip = ip - start;
    this.#tcp = tcp - start - dropped;
    this.#headerBytes = payload - start - dropped;
    this.#room = Math.min(limit, this.#ip + LARGEST_PACKET) - this.#headerBytes;
    if (this.#room < 1) return false;
    this.#source = source;
    this.#payload = payload;
    this.#payloadBytes = Math.min(packetEnd, end) - payload;
    this.#whole = packetEnd <= end;
    this.#sequence = source.readUInt32BE(tcp + 4);
    this.#putHeaders(start, tcp, dropped, limit);
    this.index = 0;
    this.#make();
    return true;
  }

  /** Moves to the next segment. False: that was the last one. */
  next(): boolean {
    if ((this.index + 1) * this.#room >= this.#payloadBytes) return false;
    this.index += 1;
    this.#make();
    return true;
  }

  /** What is the same in all segments. */
  #putHeaders(start: number, tcp: number, dropped: number, limit: number): void {
    if (this.bytes.length < limit) this.bytes = Buffer.alloc(limit);
    const { bytes } = this;
    const source = this.#source;
    source.copy(bytes, 0, start, tcp);
    if (dropped > 0) {
      const jumbo = this.#ip + IPV6_HEADER;
      bytes[this.#ip + 6] = bytes[jumbo] as number;
      bytes.copyWithin(jumbo, jumbo + dropped, tcp - start);
    }
    source.copy(bytes, this.#tcp, tcp, this.#payload);
    const [from, to] = this.#isIpv4 ? [this.#ip + 12, this.#ip + 20] : [this.#ip + 8, this.#ip + 40];
    this.#pseudoSum = sumOf(bytes, from, to, PROTOCOL.tcp);
  }

  #make(): void {
    const { bytes } = this;
    const ip = this.#ip;
    const tcp = this.#tcp;
    const headerBytes = this.#headerBytes;
    const offset = this.index * this.#room;
    const size = Math.min(this.#room, this.#payloadBytes - offset);
    const end = headerBytes + size;
    this.length = end;
    this.#source.copy(bytes, headerBytes, this.#payload + offset, this.#payload + offset + size);
    if (this.#isIpv4) {
      bytes.writeUInt16BE(end - ip, ip + 2);
      bytes.writeUInt16BE((this.#identification + this.index) & 0xffff, ip + 4);
      bytes.writeUInt16BE(0, ip + 10);
      bytes.writeUInt16BE(checksumOf(sumOf(bytes, ip, ip + ((bytes[ip] as number) & 0x0f) * 4, 0)), ip + 10);
    } else bytes.writeUInt16BE(end - ip - IPV6_HEADER, ip + 4);
    bytes.writeUInt32BE((this.#sequence + offset) >>> 0, tcp + 4);
    bytes[tcp + 13] = this.#flagsAt(offset, size);
    bytes.writeUInt16BE(0, tcp + 16);
    bytes.writeUInt16BE(checksumOf(sumOf(bytes, tcp, end, this.#pseudoSum + (end - tcp))), tcp + 16);
  }

  /** What ends or pushes the data belongs behind the last byte, what tells of congestion goes once. */
  #flagsAt(offset: number, size: number): number {
    const isLast = this.#whole && offset + size === this.#payloadBytes;
    const kept = isLast ? this.#flags : this.#flags & ~(FIN | PSH);
    return offset === 0 ? kept : kept & ~CWR;
  }
}

function isJumbo(source: Buffer, header: number): boolean {
  return source[header + 1] === 0 && source.readUInt16BE(header + 2) === JUMBO_OPTION;
}
