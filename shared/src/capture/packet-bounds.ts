// How long a packet of a link type can be. A record outside of these bounds is damage, not a packet; the bounds are
// those of Wireshark's readers, so that a capture ends here where it ends there.
import type { WarningKind } from './warning.ts';

export const MAX_CAPTURED_BYTES = 262_144;
/** Link types whose packets may be larger: D-Bus, EBHSCR, and the USB captures. */
const larger: ReadonlyMap<number, number> = new Map([
  [231, 128 * 1024 * 1024],
  [279, 8 * 1024 * 1024],
  [189, 128 * 1024 * 1024],
  [220, 128 * 1024 * 1024],
  [249, 128 * 1024 * 1024],
]);

/** Link types whose packets begin with a pseudo-header of that many bytes. */
const pseudoHeaders: ReadonlyMap<number, number> = new Map([
  [123, 4], // SunATM
  [139, 4], // MTP2
  [144, 16], // IrDA
  [177, 16], // LAPD
  [196, 5], // SITA
  [197, 16], // ERF
  [201, 4], // Bluetooth HCI H4
  [204, 1], // PPP with direction
  [209, 5], // I2C
  [245, 2], // NFC LLCP
  [254, 4], // Bluetooth monitor
]);

/** Most bytes that a packet can have in the file. */
export function maxCaptured(linkType: number): number {
  return larger.get(linkType) ?? MAX_CAPTURED_BYTES;
}

/** Fewest bytes that a packet can have in the file. */
export function minCaptured(linkType: number): number {
  return pseudoHeaders.get(linkType) ?? 0;
}

/** What to say of a record whose length no packet of its link type can have. */
export function outOfBounds(
  captured: number,
  linkType: number,
): { readonly kind: WarningKind; readonly message: string } {
  const least = minCaptured(linkType);
  return captured < least
    ? {
        kind: 'record-too-short',
        message: `a record has ${String(captured)} bytes, packets of link type ${String(linkType)} begin with ${String(least)} of their own`,
      }
    : {
        kind: 'record-too-long',
        message: `a record claims ${String(captured)} bytes, the bound is ${String(maxCaptured(linkType))}`,
      };
}
