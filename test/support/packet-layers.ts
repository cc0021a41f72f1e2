/** Headers around a payload, one function each, for packets of any nesting. Lengths are right, checksums are zero. */

export type Bytes = Uint8Array;

const word = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const long = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];
export const join = (...parts: (Bytes | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

/** Two ends of a conversation; `a` sends. */
export interface Ends {
  a: readonly number[];
  b: readonly number[];
}

/** The answer to what these ends say. */
export const back = ({ a, b }: Ends): Ends => ({ a: b, b: a });

export const MACS: Ends = { a: [2, 0, 0, 0, 0, 1], b: [2, 0, 0, 0, 0, 2] };

export function ethernet(
  type: number,
  payload: Bytes,
  { a, b }: Ends = MACS,
  ...tags: [number, number][]
): Buffer {
  const tagged = tags.flatMap(([tag, id]) => [...word(tag), ...word(id)]);
  return join(b, a, tagged, word(type), payload);
}

export interface Fragment {
  id: number;
  /** In units of 8 bytes. */
  offset?: number;
  more?: boolean;
}

export function ipv4(
  { a, b }: Ends,
  protocol: number,
  payload: Bytes,
  fragment: Fragment = { id: 0 },
): Buffer {
  const { id, offset = 0, more = false } = fragment;
  const flags = (more ? 0x2000 : 0) | offset;
  return join(
    [0x45, 0],
    word(20 + payload.length),
    word(id),
    word(flags),
    [64, protocol],
    [0, 0],
    a,
    b,
    payload,
  );
}

/** With a fragment header where a fragment is given; `before` are extension headers, the last one's next is `protocol`. */
export function ipv6(
  { a, b }: Ends,
  protocol: number,
  payload: Bytes,
  { fragment, before = [] }: { fragment?: Fragment; before?: readonly number[] } = {},
): Buffer {
  const parts: Buffer[] = [];
  let next = protocol;
  if (fragment) {
    const { id, offset = 0, more = false } = fragment;
    parts.unshift(join([protocol, 0], word((offset << 3) | Number(more)), long(id)));
    next = 44;
  }
  for (const type of before.toReversed()) {
    parts.unshift(join([next, 0, 1, 4, 0, 0, 0, 0]));
    next = type;
  }
  const rest = join(...parts, payload);
  return join([0x60, 0, 0, 0], word(rest.length), [next, 64], a, b, rest);
}

export function udp(from: number, to: number, payload: Bytes = Buffer.alloc(12)): Buffer {
  return join(word(from), word(to), word(8 + payload.length), [0, 0], payload);
}

export function tcp(from: number, to: number): Buffer {
  return join(word(from), word(to), long(1), long(2), [0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
}

export function arp(operation: number, { a, b }: Ends): Buffer {
  return join([0, 1, 8, 0, 6, 4], word(operation), MACS.a, a, MACS.b, b);
}

export function icmp(type: number, payload: Bytes): Buffer {
  return join([type, 0, 0, 0, 0, 0, 0, 0], payload);
}

/** @param flags of its first word: 0x8000 checksum, 0x2000 key, 0x1000 sequence number */
export function gre(type: number, payload: Bytes, flags = 0): Buffer {
  const options = [0x8000, 0x2000, 0x1000].filter((flag) => (flags & flag) !== 0);
  return join(word(flags), word(type), ...options.map(() => long(7)), payload);
}

export function vxlan(frame: Bytes, network = 5): Buffer {
  return join([8, 0, 0, 0], [0, 0, network, 0], frame);
}

export function geneve(type: number, payload: Bytes, optionWords = 0): Buffer {
  return join([optionWords, 0], word(type), [0, 0, 9, 0], Buffer.alloc(4 * optionWords), payload);
}

/** A packet of a user; with `extended`, behind a sequence number and an extension header. */
export function gtp(payload: Bytes, extended = false): Buffer {
  const options = extended ? [0, 1, 0, 0x85, 1, 0x10, 9, 0] : [];
  return join(
    [extended ? 0x34 : 0x30, 255],
    word(options.length + payload.length),
    long(77),
    options,
    payload,
  );
}

export function mpls(payload: Bytes, ...labels: number[]): Buffer {
  return join(
    ...labels.map((label, index) =>
      long(((label << 12) | (index === labels.length - 1 ? 0x100 : 0) | 64) >>> 0),
    ),
    payload,
  );
}

export function pppoe(protocol: number, payload: Bytes): Buffer {
  return join([0x11, 0, 0, 1], word(2 + payload.length), word(protocol), payload);
}
