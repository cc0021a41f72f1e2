/**
 * The Internet checksum (RFC 1071) over parts of a frame, with the pseudo header that TCP and UDP need for IPv4
 * (RFC 9293 §3.1) and IPv6 (RFC 8200 §8.1). Sums are plain numbers: a frame is far too short to leave 2^53.
 */

/** Adds the 16-bit words of bytes[start, end) to a sum that is not folded yet. */
export function addWords(bytes: Uint8Array, start: number, end: number, sum: number): number {
  let total = sum;
  const even = end - ((end - start) & 1);
  for (let i = start; i < even; i += 2) total += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  return even < end ? total + ((bytes[even] as number) << 8) : total;
}

/** Folds a sum to the 16 bits that stand in a header. */
export function finishChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x1_0000) + (folded % 0x1_0000);
  return ~folded & 0xffff;
}

/** The sum of the pseudo header: both addresses (4 or 16 bytes each), protocol and length of the segment. */
export function pseudoHeaderSum(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  const addresses = addWords(destination, 0, destination.length, addWords(source, 0, source.length, 0));
  return addresses + protocol + (length & 0xffff) + Math.floor(length / 0x1_0000);
}
