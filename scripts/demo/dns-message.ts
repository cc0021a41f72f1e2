/**
 * The few DNS messages (RFC 1035) that the made traffic needs: one question for an IPv4 address, and its answer.
 */

const TYPE_A_CLASS_IN = Buffer.from([0, 1, 0, 1]);

/** A query for the address of a name. */
export function dnsQuery(id: number, name: string): Buffer {
  const header = Buffer.from([id >> 8, id & 0xff, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([header, ...labels, Buffer.from([0]), TYPE_A_CLASS_IN]);
}

/** The answer to a query with this many addresses, each referring to the name in the question. */
export function dnsAnswer(query: Buffer, addresses: number): Buffer {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(addresses, 6);
  const records = Array.from({ length: addresses }, (_, i) =>
    Buffer.from([0xc0, 12, ...TYPE_A_CLASS_IN, 0, 0, 1, 44, 0, 4, 10, 77, 1, i + 1]),
  );
  return Buffer.concat([answer, ...records]);
}
