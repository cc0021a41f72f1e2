// Addresses as people write them, read once, before any frame is looked at.
import ipaddr from 'ipaddr.js';

export interface Prefix {
  /** 4 or 16; those behind the prefix are zero. */
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** `10.0.0.0/8`, `fd00::/8`; an address alone is a prefix of its whole length. Null where it is neither. */
export function parsePrefix(text: string): Prefix | null {
  const [, address = '', length] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return null;
  const bytes = ipaddr.parse(address).toByteArray();
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  if (bits > bytes.length * 8) return null;
  return { bytes: bytes.map((byte, index) => byte & maskByte(bits, index)), bits };
}

/** The bits of byte number `index` that belong to a prefix. */
export function maskByte(bits: number, index: number): number {
  const here = Math.min(8, Math.max(0, bits - index * 8));
  return (0xff << (8 - here)) & 0xff;
}

/** The 16 upper and the 32 lower bits of `02:00:00:00:00:01`, the latter signed: both are small integers. */
export function parseMac(text: string): { readonly high: number; readonly low: number } {
  const digits = text.replaceAll(':', '');
  return { high: Number.parseInt(digits.slice(0, 4), 16), low: Number.parseInt(digits.slice(4), 16) | 0 };
}
