// What all sensors of a run have done together so far.
import type { RunView } from '@capfleet/shared/contract/run-view';

/** Of a run that is carried through here, or is watched. */
export interface RunProgress {
  readonly phase: RunView['phase'];
  /** RFC 3339, or ns on the reference clock; null until it is decided. */
  readonly start: string | bigint | null;
  readonly sensors: {
    values(): Iterable<{
      readonly progress:
        (Pick<Totals, 'sent' | 'sentBytes' | 'refused'> & { readonly position: string }) | null;
    }>;
  };
}

export interface Totals {
  readonly sent: number;
  readonly sentBytes: number;
  readonly refused: number;
  /** Of the sensor that is farthest, ns after the start. */
  readonly position: bigint;
}

export const nothingYet: Totals = { sent: 0, sentBytes: 0, refused: 0, position: 0n };

export function totalsOf({ sensors }: RunProgress): Totals {
  let totals = nothingYet;
  for (const { progress } of sensors.values()) {
    if (!progress) continue;
    const position = BigInt(progress.position);
    totals = {
      sent: totals.sent + progress.sent,
      sentBytes: totals.sentBytes + progress.sentBytes,
      refused: totals.refused + progress.refused,
      position: position > totals.position ? position : totals.position,
    };
  }
  return totals;
}
