// The checksums of a frame whose headers were found: moved by what was changed, or computed anew.
import { checksumOf, sumOf, type WordChanges } from './checksum.ts';
import { PROTOCOL, type FrameHeaders } from './headers.ts';

/**
 * Moves the checksum of TCP, UDP or ICMPv6 by changes of addresses and ports. One that was wrong stays wrong by as much.
 */
export function moveTransportChecksum(
  bytes: Buffer,
  headers: FrameHeaders,
  end: number,
  changes: WordChanges,
): void {
  const at = checksumAt(headers);
  if (!changes.changed || at < 0 || at + 2 > end || headers.protocol === PROTOCOL.icmp) return;
  const old = bytes.readUInt16BE(at);
  const isUdp = headers.protocol === PROTOCOL.udp;
  // RFC 768: zero says that there is no checksum, so one that comes to zero is sent as all ones.
  if (isUdp && old === 0) return;
  const moved = changes.applyTo(old);
  bytes.writeUInt16BE(isUdp && moved === 0 ? 0xffff : moved, at);
}

/** Moves the checksum of an IPv4 header. */
export function moveHeaderChecksum(
  bytes: Buffer,
  { network, version }: FrameHeaders,
  changes: WordChanges,
): void {
  if (version !== 4 || !changes.changed) return;
  bytes.writeUInt16BE(changes.applyTo(bytes.readUInt16BE(network + 10)), network + 10);
}

/**
 * Computes the checksums of the IPv4 header and of TCP, UDP and ICMP, where all that they cover is there; those of
 * fragments stay. UDP over IPv4 without a checksum stays without.
 * @returns whether anything changed
 */
export function fixChecksums(bytes: Buffer, headers: FrameHeaders, end: number): boolean {
  const { network, version, networkEnd } = headers;
  let changed = false;
  if (version === 4 && networkEnd <= end) {
    const sum = sumOf(bytes, network, networkEnd, 0) - bytes.readUInt16BE(network + 10);
    changed = put(bytes, network + 10, checksumOf(sum));
  }
  return fixTransport(bytes, headers, end) || changed;
}

function fixTransport(bytes: Buffer, headers: FrameHeaders, end: number): boolean {
  const { network, version, transport, packetEnd, protocol, fragmented, routed } = headers;
  const at = checksumAt(headers);
  if (at < 0 || fragmented || routed || packetEnd > end || at + 2 > packetEnd) return false;
  const old = bytes.readUInt16BE(at);
  const isUdp = protocol === PROTOCOL.udp;
  if (isUdp && version === 4 && old === 0) return false;
  const length = isUdp ? udpLength(bytes, transport, packetEnd) : packetEnd - transport;
  let sum = sumOf(bytes, transport, transport + length, 0) - old;
  if (protocol !== PROTOCOL.icmp) {
    const addresses = version === 4 ? network + 12 : network + 8;
    sum = sumOf(bytes, addresses, addresses + (version === 4 ? 8 : 32), sum) + protocol + length;
  }
  const checksum = checksumOf(sum);
  return put(bytes, at, isUdp && checksum === 0 ? 0xffff : checksum);
}

/** What a datagram says itself, where its packet can hold that. */
function udpLength(bytes: Buffer, transport: number, packetEnd: number): number {
  const said = bytes.readUInt16BE(transport + 4);
  return said >= 8 && said <= packetEnd - transport ? said : packetEnd - transport;
}

function put(bytes: Buffer, at: number, checksum: number): boolean {
  if (bytes.readUInt16BE(at) === checksum) return false;
  bytes.writeUInt16BE(checksum, at);
  return true;
}

/** Where the checksum behind the IP header lies; −1: there is none. */
function checksumAt({ transport, protocol, version }: FrameHeaders): number {
  if (transport < 0) return -1;
  switch (protocol) {
    case PROTOCOL.tcp:
      return transport + 16;
    case PROTOCOL.udp:
      return transport + 6;
    case PROTOCOL.icmp:
      return version === 4 ? transport + 2 : -1;
    case PROTOCOL.icmpv6:
      return version === 6 ? transport + 2 : -1;
    default:
      return -1;
  }
}
