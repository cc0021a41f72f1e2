/**
 * The conversation that an Ethernet frame belongs to, as a text that is the same both ways: its addresses, its
 * protocol, its ports. Through tags and PPPoE, not into tunnels. Null where something else may decide: fragments, errors that quote
 * another packet, what is not IP.
 */

const TAGS = new Set([0x8100, 0x88a8, 0x9100]);
const WITH_PORTS = new Set([6, 17, 132]);
const IPV6_OPTIONS = new Set([0, 43, 60, 135]);

export function conversationOf(frame: Buffer): string | null {
  try {
    let at = 12;
    while (TAGS.has(frame.readUInt16BE(at))) at += 4;
    const type = frame.readUInt16BE(at);
    if (type === 0x0800) return ofIpv4(frame, at + 2);
    if (type === 0x86dd) return ofIpv6(frame, at + 2);
    if (type !== 0x8864) return null;
    const protocol = frame.readUInt16BE(at + 8);
    return protocol === 0x21 ? ofIpv4(frame, at + 10) : protocol === 0x57 ? ofIpv6(frame, at + 10) : null;
  } catch (error) {
    // Cut off somewhere in its headers.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function ofIpv4(frame: Buffer, at: number): string | null {
  const version = frame.readUInt8(at);
  if (version >> 4 !== 4 || (version & 15) < 5 || (frame.readUInt16BE(at + 6) & 0x3fff) !== 0) return null;
  return between(frame, at + 12, 4, frame.readUInt8(at + 9), at + (version & 15) * 4);
}

function ofIpv6(frame: Buffer, at: number): string | null {
  if (frame.readUInt8(at) >> 4 !== 6) return null;
  let protocol = frame.readUInt8(at + 6);
  let next = at + 40;
  while (IPV6_OPTIONS.has(protocol)) {
    protocol = frame.readUInt8(next);
    next += 8 + frame.readUInt8(next + 1) * 8;
  }
  return protocol === 44 ? null : between(frame, at + 8, 16, protocol, next);
}

function between(frame: Buffer, at: number, size: number, protocol: number, ports: number): string | null {
  if (protocol === 1 || protocol === 58) return null;
  const end = (address: number, port: number): string => {
    const text = frame.toString('hex', address, address + size);
    return WITH_PORTS.has(protocol) ? `${text}.${frame.readUInt16BE(port)}` : text;
  };
  return [protocol, ...[end(at, ports), end(at + size, ports + 2)].sort()].join(' ');
}
