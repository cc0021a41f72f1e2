// Time to live of IPv4, hop limit of IPv6: set, or moved within 1 … 255, so that no packet dies of it.
import type { WordChanges } from './checksum.ts';
import type { EditPlan } from './edit-plan.ts';
import type { FrameHeaders } from './headers.ts';

export function editTtl(
  bytes: Buffer,
  { network, version }: FrameHeaders,
  ttl: NonNullable<EditPlan['ttl']>,
  changes: WordChanges,
): void {
  // The word that holds it: TTL and protocol, or next header and hop limit.
  const at = network + (version === 4 ? 8 : 6);
  const word = bytes.readUInt16BE(at);
  const old = version === 4 ? word >> 8 : word & 0xff;
  const value = ttl.kind === 'set' ? ttl.value : Math.min(255, Math.max(1, old + ttl.value));
  changes.write(bytes, at, version === 4 ? (value << 8) | (word & 0xff) : (word & 0xff00) | value);
}
