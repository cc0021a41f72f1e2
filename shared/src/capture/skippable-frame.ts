// Frames that hold no data: user data between the frames of Zstandard (RFC 8878, 3.1.2) and of LZ4, which share them.
import type { CompressedInput } from './compressed-input.ts';

const FIRST_MAGIC = 0x184d2a50;
const LAST_MAGIC = 0x184d2a5f;
/** Magic and length of what follows. */
export const SKIPPABLE_HEADER_BYTES = 8;

export function isSkippable(head: Buffer): boolean {
  if (head.length < 4) return false;
  const magic = head.readUInt32LE(0);
  return magic >= FIRST_MAGIC && magic <= LAST_MAGIC;
}

/**
 * Passes over what follows the magic of a skippable frame.
 * @throws Damage where the file ends in it
 */
export async function skipFrame(input: CompressedInput): Promise<void> {
  await input.skip((await input.bytes(4)).readUInt32LE(0));
}
