// Keeps a play with the reference clock though the two clocks drift apart. The start was converted once; from then on only
// the slow change of the offset is followed, and only as far as it is certain: as long as due times lie within what is
// known of the clock they are left alone, so that the noise of measuring never shows on the wire.
import type { ClockLine } from '@capfleet/shared/time/clock-line';
import { MILLISECOND, SECOND, type Nanos } from '@capfleet/shared/time/nanos';
import { Slew, type Course } from './slew.ts';

/** The time in which a deviation is made up for. */
const HORIZON: Nanos = 4n * SECOND;
/** After which a course takes effect. */
const LEAD: Nanos = 200n * MILLISECOND;

export class Steering {
  readonly #line: ClockLine;
  readonly #origin: Nanos;
  readonly #startOffset: Nanos;
  readonly #slew = new Slew();

  /**
   * @param origin instant of the start, CLOCK_MONOTONIC
   * @param startOffset reference − monotonic that it was converted by
   */
  constructor(line: ClockLine, origin: Nanos, startOffset: Nanos) {
    this.#line = line;
    this.#origin = origin;
    this.#startOffset = startOffset;
  }

  /** To be asked about once a second; null: on as before. */
  next(now: Nanos): Course | null {
    const at = now + HORIZON;
    const { offset, bound } = this.#line.offsetAt(at);
    const wanted = this.#startOffset - offset;
    const expected = this.shiftAt(at);
    const shift = nearest(expected, wanted - bound, wanted + bound);
    if (shift === expected) return null;
    const since = now + LEAD;
    this.#slew.steer(this.#since(since), this.#since(at), Number(shift));
    return { since, at, shift };
  }

  /** How far from the reference clock what is due at an instant goes out at most, by what is known now, ns. */
  boundAt(due: Nanos): Nanos {
    const { offset, bound } = this.#line.offsetAt(due);
    const deviation = this.shiftAt(due) - (this.#startOffset - offset);
    return bound + (deviation < 0n ? -deviation : deviation);
  }

  /** What the reference clock shows at an instant, by the course that due times are on. */
  referenceAt(instant: Nanos): Nanos {
    return instant + this.#startOffset - this.shiftAt(instant);
  }

  /** What is due at an instant is moved by, ns. */
  shiftAt(due: Nanos): Nanos {
    return BigInt(this.#slew.at(this.#since(due)));
  }

  #since(instant: Nanos): number {
    return Number(instant - this.#origin);
  }
}

function nearest(value: Nanos, least: Nanos, most: Nanos): Nanos {
  if (value < least) return least;
  return value > most ? most : value;
}
