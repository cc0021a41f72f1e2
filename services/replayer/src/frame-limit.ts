// How large a frame may be for an interface: its MTU beside the Ethernet header, and a VLAN tag on top where it has one.
import { ETHERNET_HEADER, TYPE_AT, VLAN_TAG } from '@capfleet/shared/edit/headers';

const TYPE_VLAN = 0x8100;

/** Bytes of a frame without a tag. */
export function largestUntagged(mtu: number): number {
  return mtu + ETHERNET_HEADER;
}

/** Bytes that no frame may exceed. */
export function largestTagged(mtu: number): number {
  return mtu + ETHERNET_HEADER + VLAN_TAG;
}

/** Bytes that this frame may have. */
export function largestFrame(mtu: number, bytes: Buffer, start: number, length: number): number {
  const isTagged = length >= TYPE_AT + 2 && bytes.readUInt16BE(start + TYPE_AT) === TYPE_VLAN;
  return isTagged ? largestTagged(mtu) : largestUntagged(mtu);
}

/** Null stands for an interface that takes any frame. */
export function smallerMtu(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
