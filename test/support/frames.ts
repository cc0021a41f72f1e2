/**
 * Builds Ethernet frames that carry UDP or TCP in IPv4 or IPv6, with or without one 802.1Q tag, with right
 * lengths and checksums. Without the frame check sequence, as captures have them; 60 bytes at least, as on a wire.
 * The same arguments give the same bytes.
 */
import type { Host } from './hosts.ts';
import { addWords, finishChecksum, pseudoHeaderSum } from './internet-checksum.ts';

export interface Conversation {
  from: Host;
  to: Host;
  fromPort: number;
  toPort: number;
  /** 802.1Q VLAN id; no tag when left out. */
  vlan?: number;
}

export interface UdpContent {
  payload: Uint8Array;
  /** IPv4 identification; 0 when left out. */
  identification?: number;
  /** TTL or hop limit; 64 when left out. */
  ttl?: number;
}

export interface TcpContent extends UdpContent {
  sequence: number;
  acknowledgement: number;
  /** Sum of TCP_FIN and friends. */
  flags: number;
  window?: number;
}

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
const SMALLEST_FRAME = 60;
const LARGEST_FRAME = 18_020;

const UDP = 17;
const TCP = 6;
const HEADER_LENGTH = { [UDP]: 8, [TCP]: 20 } as const;

/** Bytes in front of the payload. */
export function headerLength(conversation: Conversation, protocol: 'udp' | 'tcp'): number {
  const internet = conversation.from.ip.length === 4 ? 20 : 40;
  const transport = HEADER_LENGTH[protocol === 'udp' ? UDP : TCP];
  return 14 + (conversation.vlan === undefined ? 0 : 4) + internet + transport;
}

export function udpFrame(conversation: Conversation, content: UdpContent): Buffer {
  const { frame, at } = internetFrame(conversation, UDP, content);
  const length = 8 + content.payload.length;
  frame.writeUInt16BE(conversation.fromPort, at);
  frame.writeUInt16BE(conversation.toPort, at + 2);
  frame.writeUInt16BE(length, at + 4);
  frame.set(content.payload, at + 8);
  const sum = pseudoHeaderSum(conversation.from.ip, conversation.to.ip, UDP, length);
  // RFC 768: a computed zero is sent as all ones, since zero means that there is no checksum.
  frame.writeUInt16BE(finishChecksum(addWords(frame, at, at + length, sum)) || 0xffff, at + 6);
  return frame;
}

export function tcpFrame(conversation: Conversation, content: TcpContent): Buffer {
  const { frame, at } = internetFrame(conversation, TCP, content);
  const length = 20 + content.payload.length;
  frame.writeUInt16BE(conversation.fromPort, at);
  frame.writeUInt16BE(conversation.toPort, at + 2);
  frame.writeUInt32BE(content.sequence >>> 0, at + 4);
  frame.writeUInt32BE(content.acknowledgement >>> 0, at + 8);
  frame[at + 12] = 5 << 4;
  frame[at + 13] = content.flags;
  frame.writeUInt16BE(content.window ?? 0xffff, at + 14);
  frame.set(content.payload, at + 20);
  const sum = pseudoHeaderSum(conversation.from.ip, conversation.to.ip, TCP, length);
  frame.writeUInt16BE(finishChecksum(addWords(frame, at, at + length, sum)), at + 16);
  return frame;
}

/** A UDP frame of exactly this many bytes, whose payload begins with the number, so that frames can be told apart. */
export function numberedFrame(conversation: Conversation, length: number, number: number): Buffer {
  const room = length - headerLength(conversation, 'udp');
  if (length < SMALLEST_FRAME || length > LARGEST_FRAME || room < 0) {
    throw new RangeError(`a frame of ${length} bytes is out of range`);
  }
  const payload = Buffer.alloc(room);
  for (let i = 0; i < room; i++) payload[i] = number + i;
  if (room >= 4) payload.writeUInt32BE(number >>> 0, 0);
  return udpFrame(conversation, { payload, identification: number & 0xffff });
}

/** An ARP request (RFC 826) from an IPv4 host, sent to everyone. */
export function arpFrame(from: Host, to: Host): Buffer {
  const frame = Buffer.alloc(SMALLEST_FRAME);
  frame.fill(0xff, 0, 6);
  frame.set(from.mac, 6);
  frame.set([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1], 12);
  frame.set(from.mac, 22);
  frame.set(from.ip, 28);
  frame.set(to.ip, 38);
  return frame;
}

/** Splits an untagged IPv4 frame into fragments (RFC 791 §3.2) with at most `room` bytes (a multiple of 8) of data. */
export function ipv4Fragments(frame: Buffer, room: number): Buffer[] {
  const total = frame.readUInt16BE(16);
  const fragments: Buffer[] = [];
  for (let start = 0; start < total - 20; start += room) {
    const length = Math.min(room, total - 20 - start);
    const fragment = Buffer.alloc(Math.max(SMALLEST_FRAME, 34 + length));
    frame.copy(fragment, 0, 0, 34);
    frame.copy(fragment, 34, 34 + start, 34 + start + length);
    const more = start + length < total - 20;
    fragment.writeUInt16BE(20 + length, 16);
    fragment.writeUInt16BE((more ? 0x2000 : 0) | (start >> 3), 20);
    putIpv4Checksum(fragment, 14);
    fragments.push(fragment);
  }
  return fragments;
}

function putIpv4Checksum(frame: Buffer, at: number): void {
  frame.writeUInt16BE(0, at + 10);
  frame.writeUInt16BE(finishChecksum(addWords(frame, at, at + 20, 0)), at + 10);
}

/** The frame with its Ethernet and IP header; `at` is where the transport header goes. */
function internetFrame(
  conversation: Conversation,
  protocol: typeof UDP | typeof TCP,
  content: UdpContent,
): { frame: Buffer; at: number } {
  const { from, to, vlan } = conversation;
  const segment = HEADER_LENGTH[protocol] + content.payload.length;
  const ip = vlan === undefined ? 14 : 18;
  const at = ip + (from.ip.length === 4 ? 20 : 40);
  if (at - ip + segment > 0xffff) throw new RangeError('an IP packet holds 65,535 bytes at most');

  const frame = Buffer.alloc(Math.max(SMALLEST_FRAME, at + segment));
  frame.set(to.mac, 0);
  frame.set(from.mac, 6);
  if (vlan !== undefined) {
    frame.writeUInt16BE(0x8100, 12);
    frame.writeUInt16BE(vlan, 14);
  }
  if (from.ip.length === 4) {
    frame.writeUInt16BE(0x0800, ip - 2);
    frame[ip] = 0x45;
    frame.writeUInt16BE(20 + segment, ip + 2);
    frame.writeUInt16BE(content.identification ?? 0, ip + 4);
    frame[ip + 8] = content.ttl ?? 64;
    frame[ip + 9] = protocol;
    frame.set(from.ip, ip + 12);
    frame.set(to.ip, ip + 16);
    putIpv4Checksum(frame, ip);
  } else {
    frame.writeUInt16BE(0x86dd, ip - 2);
    frame[ip] = 0x60;
    frame.writeUInt16BE(segment, ip + 4);
    frame[ip + 6] = protocol;
    frame[ip + 7] = content.ttl ?? 64;
    frame.set(from.ip, ip + 8);
    frame.set(to.ip, ip + 24);
  }
  return { frame, at };
}
