/**
 * Ends of a made conversation: a MAC address and an IPv4 or IPv6 address as bytes, parsed once and used for
 * many frames. Addresses for made traffic come from the private ranges (RFC 1918, RFC 4193).
 */

export interface Host {
  /** 6 bytes. */
  mac: Uint8Array;
  /** 4 bytes (IPv4) or 16 bytes (IPv6). */
  ip: Uint8Array;
}

/** `host('02:00:00:00:00:01', '10.0.0.1')` or with an IPv6 address such as `fd00::1`. */
export function host(mac: string, ip: string): Host {
  return { mac: parseMac(mac), ip: ip.includes(':') ? parseIpv6(ip) : parseIpv4(ip) };
}

function parseMac(text: string): Uint8Array {
  const parts = text.split(':');
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) {
    throw new RangeError(`not a MAC address: ${text}`);
  }
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

function parseIpv4(text: string): Uint8Array {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    throw new RangeError(`not an IPv4 address: ${text}`);
  }
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array {
  const halves = text.split('::');
  const words = (half: string | undefined): number[] =>
    half === undefined || half === '' ? [] : half.split(':').map((word) => Number.parseInt(word, 16));
  const head = words(halves[0]);
  const tail = words(halves[1]);
  const missing = 8 - head.length - tail.length;
  const all = [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...tail];
  const valid = all.every((word) => word >= 0 && word <= 0xffff);
  if (halves.length > 2 || all.length !== 8 || !valid || (halves.length === 1 && missing !== 0)) {
    throw new RangeError(`not an IPv6 address: ${text}`);
  }
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}
