// VLAN tags (802.1Q, 802.1ad): taken off, given other ids, put on. A tag that the frame does not hold whole, with the
// type behind it, is left as it is.
import type { EditPlan } from './edit-plan.ts';
import type { FrameBuffer } from './frame-buffer.ts';
import { isVlanType, TYPE_AT, VLAN_TAG } from './headers.ts';

const ID_MASK = 0x0fff;

export class VlanEdit {
  readonly #strip: boolean;
  /** New id of each id; null where none changes. */
  readonly #ids: Uint16Array | null;
  readonly #added: { readonly type: number; readonly control: number } | null;

  constructor({ vlanStrip, vlanMap, vlanAdd }: EditPlan) {
    this.#strip = vlanStrip;
    this.#ids = vlanMap.length === 0 ? null : Uint16Array.from({ length: ID_MASK + 1 }, (_, id) => id);
    for (const { from, to } of vlanMap.toReversed()) if (this.#ids) this.#ids[from] = to;
    this.#added = vlanAdd && {
      type: vlanAdd.type === '802.1Q' ? 0x8100 : 0x88a8,
      control: (vlanAdd.priority << 13) | vlanAdd.id,
    };
  }

  /** @returns whether anything changed */
  edit(frame: FrameBuffer): boolean {
    let changed = false;
    if (this.#strip) changed = stripTags(frame);
    if (this.#ids) changed = mapTags(frame, this.#ids) || changed;
    if (this.#added) changed = addTag(frame, this.#added.type, this.#added.control) || changed;
    return changed;
  }
}

function hasTag({ bytes, end }: FrameBuffer, typeAt: number): boolean {
  return typeAt + VLAN_TAG + 2 <= end && isVlanType(bytes.readUInt16BE(typeAt));
}

function stripTags(frame: FrameBuffer): boolean {
  const { bytes, start } = frame;
  let typeAt = start + TYPE_AT;
  while (hasTag(frame, typeAt)) typeAt += VLAN_TAG;
  const size = typeAt - (start + TYPE_AT);
  if (size === 0) return false;
  bytes.copyWithin(start + size, start, start + TYPE_AT);
  frame.shrink(size);
  return true;
}

function mapTags(frame: FrameBuffer, ids: Uint16Array): boolean {
  const { bytes } = frame;
  let changed = false;
  for (let typeAt = frame.start + TYPE_AT; hasTag(frame, typeAt); typeAt += VLAN_TAG) {
    const control = bytes.readUInt16BE(typeAt + 2);
    const mapped = (control & ~ID_MASK) | (ids[control & ID_MASK] as number);
    if (mapped === control) continue;
    bytes.writeUInt16BE(mapped, typeAt + 2);
    changed = true;
  }
  return changed;
}

/** A frame that is cut within its addresses gets none. */
function addTag(frame: FrameBuffer, type: number, control: number): boolean {
  if (frame.length < TYPE_AT) return false;
  frame.grow(VLAN_TAG);
  const { bytes, start } = frame;
  bytes.copyWithin(start, start + VLAN_TAG, start + VLAN_TAG + TYPE_AT);
  bytes.writeUInt16BE(type, start + TYPE_AT);
  bytes.writeUInt16BE(control, start + TYPE_AT + 2);
  return true;
}
