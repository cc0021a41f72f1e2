// Where due times have to be heading for, so that a play stays with the reference clock though the two clocks drift
// apart. The conversion of the start was made once; from then on only its slow change is followed.
import type { ClockLine } from '@capfleet/shared/time/clock-line';
import { SECOND, type Nanos } from '@capfleet/shared/time/nanos';

/** The longer, the less the noise of one measurement shows; the shorter, the sooner an error is gone. */
const HORIZON: Nanos = 10n * SECOND;

export interface Course {
  /** CLOCK_MONOTONIC. */
  readonly at: Nanos;
  /** What due times are to be moved by then, ns. */
  readonly shift: Nanos;
}

/** @param startOffset reference − monotonic that the start was converted by */
export function courseOf(line: ClockLine, startOffset: Nanos, now: Nanos): Course {
  const at = now + HORIZON;
  return { at, shift: startOffset - line.offsetAt(at).offset };
}
