// Why packets that were sent are not among those that were received although something arrived: what the frames of
// both sides look like tells of a far end that changes them. Counts only; nothing is kept of a frame.

const TYPE_AT = 12;
const TAG_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** Share of the packets that must be lost before a reason is looked for in the frames. */
const MANY = 0.01;

/** Frames of one side as a whole. */
export class FrameTally {
  frames = 0;
  bytes = 0;
  tagged = 0;
  largest = 0;

  add(bytes: Buffer, start: number, length: number, wireLength: number): void {
    this.frames += 1;
    this.bytes += wireLength;
    if (wireLength > this.largest) this.largest = wireLength;
    if (length >= TYPE_AT + 2 && TAG_TYPES.has(bytes.readUInt16BE(start + TYPE_AT))) this.tagged += 1;
  }
}

export interface Losses {
  readonly sent: number;
  readonly matched: number;
  readonly lost: number;
  readonly foreign: number;
}

/** Sentences, the likeliest reason first; none where little was lost or nothing else arrived. */
export function diagnose({ sent, matched, lost, foreign }: Losses, to: FrameTally, at: FrameTally): string[] {
  if (lost === 0 || foreign === 0 || lost < MANY * sent) return [];
  const reasons: string[] = [];
  if (to.tagged > 0 && at.tagged < to.tagged / 2) {
    reasons.push(
      `${String(to.tagged)} frames that were to be sent have a VLAN tag, ${String(at.tagged)} that were received do: the tag is taken off on the way (at the far end: ethtool -K IF rxvlan off)`,
    );
  }
  if (to.tagged < at.tagged / 2) {
    reasons.push(
      `${String(at.tagged)} frames that were received have a VLAN tag, ${String(to.tagged)} that were to be sent do: a tag is put on on the way`,
    );
  }
  if (at.largest > to.largest) {
    reasons.push(
      `a frame of ${String(at.largest)} bytes was received where the largest to be sent has ${String(to.largest)}: segments are merged on the way (at the far end: ethtool -K IF gro off lro off)`,
    );
  }
  if (reasons.length === 0 && matched === 0) {
    reasons.push(
      'nothing that was received has the bytes of a frame that was to be sent: it is another set, or every frame is changed on the way (addresses, tags, checksums)',
    );
  }
  return reasons;
}
