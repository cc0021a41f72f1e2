// What edits do to the length of a frame, as far as that is known before a frame is looked at.
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import type { EditPlan } from './edit-plan.ts';
import { ETHERNET_HEADER, VLAN_TAG } from './headers.ts';
import { replacedHeader } from './to-ethernet.ts';

/** Tags that a frame may have where they are taken off. */
const LIKELY_TAGS = 2;

/** Fewest bytes that a frame of a link type grows by; below 0 where it may shrink. Padding is not counted. */
export function leastGrowth(edits: EditPlan, linkType: number): number {
  const header = linkType === LINKTYPE_ETHERNET ? 0 : ETHERNET_HEADER - replacedHeader(linkType);
  return header + (edits.vlanAdd ? VLAN_TAG : 0) - (edits.vlanStrip ? LIKELY_TAGS * VLAN_TAG : 0);
}
