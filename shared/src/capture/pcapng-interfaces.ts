// The interfaces of a pcapng capture (draft-ietf-opsawg-pcapng, 4.2): what a description block says, the table of the
// current section, and the sums over all sections that the capture's info tells. Both are bounded, whatever a file
// declares.
import { maxCaptured, minCaptured } from './packet-bounds.ts';
import { DEFAULT_RESOLUTION, StampClock } from './pcapng-time.ts';

/** More in one section is no capture. */
export const MAX_INTERFACES = 65_536;

const OPTION_END = 0;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;

export interface Interface {
  readonly linkType: number;
  /** 0 is no limit. */
  readonly snaplen: number;
  readonly clock: StampClock;
  readonly minCaptured: number;
  readonly maxCaptured: number;
}

export class InterfaceTable {
  /** Of the current section, by the number that its packets name. */
  readonly current: Interface[] = [];
  /** Most bytes of a packet of the current section. */
  maxCaptured = 0;
  readonly #linkTypes = new Set<number>();
  #snaplen: number | null = null;
  #unit: string | null = null;

  /** A section begins: its interfaces are counted from 0. */
  enterSection(): void {
    this.current.length = 0;
    this.maxCaptured = 0;
  }

  add(described: Interface): void {
    this.current.push(described);
    this.maxCaptured = Math.max(this.maxCaptured, described.maxCaptured);
    this.#linkTypes.add(described.linkType);
    const { snaplen, clock } = described;
    this.#snaplen = this.#snaplen === null ? snaplen : largerLimit(this.#snaplen, snaplen);
    this.#unit = this.#unit === null || this.#unit === clock.unit ? clock.unit : 'mixed';
  }

  get linkTypes(): readonly number[] {
    return [...this.#linkTypes];
  }

  get snaplen(): number {
    return this.#snaplen ?? 0;
  }

  get resolution(): string {
    return this.#unit ?? 'us';
  }
}

function largerLimit(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}

/**
 * @param from, to where the body of the description block lies
 * @returns why it is none, where it is damaged
 */
export function readInterface(view: DataView, from: number, to: number, little: boolean): Interface | string {
  if (to - from < 8) return `an interface block has ${String(to - from)} bytes, it needs 8`;
  const linkType = view.getUint16(from, little);
  let resolution = DEFAULT_RESOLUTION;
  let offset = 0n;
  const damage = readOptions(view, from + 8, to, little, (code, at, length) => {
    if (code === OPTION_TSRESOL && length === 1) resolution = view.getUint8(at);
    if (code === OPTION_TSOFFSET && length === 8) offset = view.getBigInt64(at, little);
  });
  if (damage !== null) return damage;
  return {
    linkType,
    snaplen: view.getUint32(from + 4, little),
    clock: new StampClock(resolution, offset),
    minCaptured: minCaptured(linkType),
    maxCaptured: maxCaptured(linkType),
  };
}

/**
 * Goes through a block's options.
 * @returns why they are none, where they are damaged
 */
export function readOptions(
  view: DataView,
  from: number,
  to: number,
  little: boolean,
  take: (code: number, at: number, length: number) => void,
): string | null {
  for (let at = from; at < to;) {
    if (to - at < 4) return 'a block ends in the middle of an option';
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === OPTION_END) return null;
    if (length > to - at - 4)
      return `an option claims ${String(length)} bytes, its block has no room for them`;
    take(code, at + 4, length);
    at += 4 + ((length + 3) & ~3);
  }
  return null;
}
