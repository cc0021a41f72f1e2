// An Ethernet header for packets that were captured without one: Linux cooked (v1, v2), raw IP, BSD null and loop.
// Addresses that the capture does not tell are locally administered ones.
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { EditPlan } from './edit-plan.ts';

const LINKTYPE_NULL = 0;
const LINKTYPE_LOOP = 108;
const LINKTYPE_SLL = 113;
const LINKTYPE_SLL2 = 276;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_IPV6 = 229;
/** Raw IP, by the number of the file format and by those of two systems. */
const rawTypes: readonly number[] = [101, 12, 14];

/** Bytes of the header that a packet of a link type has instead of the Ethernet one. */
const headerBytes: ReadonlyMap<number, number> = new Map([
  [LINKTYPE_NULL, 4],
  [LINKTYPE_LOOP, 4],
  [LINKTYPE_SLL, 16],
  [LINKTYPE_SLL2, 20],
  [LINKTYPE_IPV4, 0],
  [LINKTYPE_IPV6, 0],
  ...rawTypes.map((type) => [type, 0] as const),
]);

const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
/** EtherTypes begin here; what is smaller is a length or, in a cooked header, a kind of frame. */
const FIRST_TYPE = 0x0600;
const COOKED_802_3 = 1;
const COOKED_LLC = 4;
/** Frames that a cooked capture does not describe by an EtherType: 802.11 with and without headers, netlink, frame relay. */
const foreignHardware: ReadonlySet<number> = new Set([770, 801, 802, 803, 824]);
const COOKED_BROADCAST = 1;
/** Address families of IPv6: Linux, the BSDs, macOS. */
const ipv6Families: ReadonlySet<number> = new Set([10, 24, 28, 30]);

/** Written where nothing is known. */
const UNKNOWN_SOURCE = 0x0200_0000_0001;
const UNKNOWN_DESTINATION = 0x0200_0000_0002;
const BROADCAST = 0xffff_ffff_ffff;

/** Why a packet cannot go out as an Ethernet frame. */
export type ConversionRefusal =
  /** Its link type is none that is sent or converted. */
  | 'link-type'
  /** It is cut within its own header. */
  | 'header-cut'
  /** It is none that Ethernet carries. */
  | 'not-ethernet';

/** Whether packets of a link type can go out. */
export function canGoOut(linkType: number, { toEthernet }: Pick<EditPlan, 'toEthernet'>): boolean {
  return linkType === LINKTYPE_ETHERNET || (toEthernet && headerBytes.has(linkType));
}

/** Bytes of a packet's own header, which the Ethernet header replaces; 0 for link types that are not converted. */
export function replacedHeader(linkType: number): number {
  return headerBytes.get(linkType) ?? 0;
}

/**
 * Writes the Ethernet header of a packet to `target[at …]`; its payload follows the packet's own header.
 * @param wireLength of the packet, its own header included
 */
export function writeEthernetHeader(
  linkType: number,
  bytes: Buffer,
  start: number,
  length: number,
  wireLength: number,
  target: Buffer,
  at: number,
): ConversionRefusal | null {
  const ownHeader = headerBytes.get(linkType);
  if (ownHeader === undefined) return 'link-type';
  if (length < Math.max(1, ownHeader)) return 'header-cut';
  target.writeUIntBE(UNKNOWN_DESTINATION, at, 6);
  target.writeUIntBE(UNKNOWN_SOURCE, at + 6, 6);
  const type = typeOf(linkType, bytes, start, wireLength - ownHeader);
  if (type === 0) return 'not-ethernet';
  target.writeUInt16BE(type, at + 12);
  if (linkType === LINKTYPE_SLL) {
    if (bytes.readUInt16BE(start) === COOKED_BROADCAST) target.writeUIntBE(BROADCAST, at, 6);
    if (bytes.readUInt16BE(start + 4) === 6) bytes.copy(target, at + 6, start + 6, start + 12);
  } else if (linkType === LINKTYPE_SLL2) {
    if (bytes.readUInt8(start + 10) === COOKED_BROADCAST) target.writeUIntBE(BROADCAST, at, 6);
    if (bytes.readUInt8(start + 11) === 6) bytes.copy(target, at + 6, start + 12, start + 18);
  }
  return null;
}

/**
 * The EtherType of what is behind a packet's own header, `replacedHeader` bytes; 0: it has none, or the header is cut.
 * @param wireLength of the packet, its own header included
 */
export function payloadType(
  linkType: number,
  bytes: Buffer,
  start: number,
  length: number,
  wireLength: number,
): number {
  const ownHeader = headerBytes.get(linkType);
  if (ownHeader === undefined || length < Math.max(1, ownHeader)) return 0;
  return typeOf(linkType, bytes, start, wireLength - ownHeader);
}

/** The EtherType, or the length of an 802.3 frame; 0: neither fits. */
function typeOf(linkType: number, bytes: Buffer, start: number, payload: number): number {
  switch (linkType) {
    case LINKTYPE_SLL:
      return cookedType(bytes.readUInt16BE(start + 2), bytes.readUInt16BE(start + 14), payload);
    case LINKTYPE_SLL2:
      return cookedType(bytes.readUInt16BE(start + 8), bytes.readUInt16BE(start), payload);
    case LINKTYPE_NULL: {
      // In the byte order of the host that captured.
      const family = bytes.readUInt32LE(start);
      return familyType(family > 0xffff ? bytes.readUInt32BE(start) : family);
    }
    case LINKTYPE_LOOP:
      return familyType(bytes.readUInt32BE(start));
    default: {
      const version = bytes.readUInt8(start) >> 4;
      if (version === 4 && linkType !== LINKTYPE_IPV6) return TYPE_IPV4;
      return version === 6 && linkType !== LINKTYPE_IPV4 ? TYPE_IPV6 : 0;
    }
  }
}

function cookedType(hardware: number, protocol: number, payload: number): number {
  if (foreignHardware.has(hardware)) return 0;
  if (protocol >= FIRST_TYPE) return protocol;
  const isLength = protocol === COOKED_802_3 || protocol === COOKED_LLC;
  return isLength && payload < FIRST_TYPE ? payload : 0;
}

function familyType(family: number): number {
  if (family === 2) return TYPE_IPV4;
  return ipv6Families.has(family) ? TYPE_IPV6 : 0;
}
