// The Internet checksum (RFC 1071): over a stretch of bytes, and by what changed in it (RFC 1624), which needs none of
// the other bytes, so that it is right for fragments and for packets that were cut.

/** Adds the 16-bit words of `bytes[start, end)` to a sum that is not folded yet. */
export function sumOf(bytes: Buffer, start: number, end: number, sum: number): number {
  let total = sum;
  let at = start;
  for (; at + 1 < end; at += 2) total += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return at < end ? total + ((bytes[at] as number) << 8) : total;
}

/** The checksum of what was summed; sums are far below 2⁵³. */
export function checksumOf(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x1_0000) + (folded & 0xffff);
  return ~folded & 0xffff;
}

/** Writes 16-bit words and keeps what that does to a checksum over them. Words are those of the checksum, not of memory. */
export class WordChanges {
  changed = false;
  #sum = 0;

  reset(): void {
    this.changed = false;
    this.#sum = 0;
  }

  write(bytes: Buffer, at: number, word: number): void {
    const old = bytes.readUInt16BE(at);
    if (old === word) return;
    bytes.writeUInt16BE(word, at);
    this.changed = true;
    this.#sum += (~old & 0xffff) + word;
  }

  /** What a checksum becomes. */
  applyTo(checksum: number): number {
    return this.changed ? checksumOf((~checksum & 0xffff) + this.#sum) : checksum;
  }
}
