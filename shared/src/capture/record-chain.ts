// Records of a classic pcap in a stretch of the file whose first byte may be anywhere in one: which offsets can be
// records at all, and which chains of them (each beginning where the one before ends) lead to the stretch's end. Pure
// and linear in the stretch, whatever its bytes are. Nothing here knows which chain is the true one: the callers argue.
import { RECORD_HEADER_BYTES } from './classic-pcap.ts';

/** What the reader asks of a record, and nothing else. */
export interface RecordRules {
  readonly littleEndian: boolean;
  /** The reader breaks off at a record that claims more captured bytes. */
  readonly maxCaptured: number;
}

/** What real records look like, though the reader does not insist on it. */
export interface RecordSigns {
  /** Fractions in a second: 10⁶ or 10⁹. */
  readonly fractionLimit: number;
  /** Seconds between which the file's packets lie, both included. */
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

/** Of the three signs that `signsOfRecord` counts, so many make a header a likely one. */
export const LIKELY_SIGNS = 2;
/** Longer packets than this have been on no wire. */
const MAX_WIRE_BYTES = 16 * 1024 * 1024;

/** The last offset in the window where a record's header may begin is this much before the window's end. */
export function lastHeader(window: DataView): number {
  return window.byteLength - RECORD_HEADER_BYTES;
}

/** Where a record at `offset` would end, perhaps behind the window; Infinity where there can be none. */
export function recordEnd(window: DataView, offset: number, rules: RecordRules): number {
  const captured = window.getUint32(offset + 8, rules.littleEndian);
  return captured > rules.maxCaptured ? Number.POSITIVE_INFINITY : offset + RECORD_HEADER_BYTES + captured;
}

/** How many of three signs of a real record (fraction, wire length, time) the header at `offset` shows. */
export function signsOfRecord(
  window: DataView,
  offset: number,
  { littleEndian }: RecordRules,
  signs: RecordSigns,
): number {
  const seconds = window.getUint32(offset, littleEndian);
  const captured = window.getUint32(offset + 8, littleEndian);
  const wire = window.getUint32(offset + 12, littleEndian);
  return (
    Number(window.getUint32(offset + 4, littleEndian) < signs.fractionLimit) +
    // Zeros are the commonest filling of packets; no packet has none on the wire.
    Number(wire >= captured && wire > 0 && wire <= MAX_WIRE_BYTES) +
    Number(seconds >= signs.fromSeconds && seconds <= signs.toSeconds)
  );
}

/** For each offset, and the window's end itself, 1 where a chain of records leads from it to the end exactly. */
export function chainsToEnd(window: DataView, rules: RecordRules): Uint8Array {
  const length = window.byteLength;
  const reaches = new Uint8Array(length + 1);
  reaches[length] = 1;
  for (let offset = lastHeader(window); offset >= 0; offset -= 1) {
    const end = recordEnd(window, offset, rules);
    if (end <= length) reaches[offset] = reaches[end] as number;
  }
  return reaches;
}

/**
 * The records at the window's end that every chain to the end goes through which begins in the first `within` bytes.
 * @param reaches of `chainsToEnd`
 * @returns offsets, each where the record before ends, the last record's at the end; empty where the chains do not
 *   agree on the last record, or there is none
 */
export function commonRecords(
  window: DataView,
  rules: RecordRules,
  reaches: Uint8Array,
  within: number,
): number[] {
  const onChain = new Uint8Array(window.byteLength + 1);
  let run: number[] = [];
  /** Where the chains' records up to here end at the furthest. */
  let furthest = 0;
  for (let offset = 0; offset <= lastHeader(window); offset += 1) {
    if (reaches[offset] === 0 || (offset >= within && onChain[offset] === 0)) continue;
    const end = recordEnd(window, offset, rules);
    onChain[end] = 1;
    if (offset < furthest) run = [];
    else if (offset === furthest) run.push(offset);
    else run = [offset];
    furthest = Math.max(furthest, end);
  }
  // A chain may begin behind a record of the first bytes; only what lies behind them is surely on all.
  const last = run.at(-1);
  return run.filter((offset) => offset >= within || offset === last);
}

/**
 * A guess at a record's offset in the first `within` bytes: where the longest chain of likely records begins that goes
 * on to the window's end or over it. A packet that holds a capture may mislead it.
 */
export function guessRecord(
  window: DataView,
  rules: RecordRules,
  signs: RecordSigns,
  within: number,
): number | null {
  const length = window.byteLength;
  /** Records in the chain from an offset, and one; 0 where the chain ends at no record. */
  const links = new Uint32Array(length + 1);
  links.fill(1, Math.max(0, lastHeader(window) + 1));
  let best: number | null = null;
  let most = 1;
  for (let offset = lastHeader(window); offset >= 0; offset -= 1) {
    const end = recordEnd(window, offset, rules);
    if (end === Number.POSITIVE_INFINITY || signsOfRecord(window, offset, rules, signs) < LIKELY_SIGNS)
      continue;
    const rest = end > length ? 1 : (links[end] as number);
    if (rest === 0) continue;
    links[offset] = rest + 1;
    if (offset >= within || rest + 1 < most) continue;
    most = rest + 1;
    best = offset;
  }
  return best;
}
