// A replay as its far end saw it, held against its plan: what was lost, what came out of order, how far each packet
// was from its time. Packets are added in the order of the plan, then in the order of arrival; only numbers are kept.
import { consistency, type Consistency } from './consistency.ts';
import { Matching, NONE, type Digest } from './matching.ts';
import { float64List } from './number-list.ts';
import { disorder } from './order.ts';
import { seriesOf, type Series } from './series.ts';
import { errorsOf, lateness, timing, type Lateness, type Timing } from './timing.ts';

export interface Comparison {
  readonly sent: number;
  readonly received: number;
  /** Sent and received. */
  readonly matched: number;
  /** Sent and not received. */
  readonly lost: number;
  /** Received more often than sent. */
  readonly duplicated: number;
  /** Received, with bytes that were never sent. */
  readonly foreign: number;
  readonly order: { readonly inversions: number; readonly displaced: number };
  /** Whether the plan has times; without them only completeness and order are told. */
  readonly timed: boolean;
  /** Over the packets that were matched; null under two, and without times. */
  readonly timing: Timing | null;
  /** How late packets were by a clock that both ends share; null where they do not, or nothing was matched. */
  readonly lateness: Lateness | null;
  /** How long the matched packets were to take, and took: ns. */
  readonly duration: { readonly planned: number; readonly received: number };
  readonly consistency: Consistency;
}

export interface Conclusion {
  readonly comparison: Comparison;
  /** For plots; null where fewer than two packets were matched, and without times. */
  readonly series: Series | null;
}

const NEVER = Number.NaN;

export class ReplayComparison {
  readonly #matching = new Matching();
  readonly #due = float64List();
  /** Of the received packets that have the bytes of a sent one. */
  readonly #at = float64List();
  #received = 0;

  /** @param due ns since any instant, a plain integer */
  addPlanned(digest: Digest, due: number): void {
    this.#matching.add(digest);
    this.#due.push(due);
  }

  /** After all that was planned. @param at ns since any instant, a plain integer */
  addReceived(digest: Digest, at: number): void {
    this.#received += 1;
    if (this.#matching.receive(digest)) this.#at.push(at);
  }

  /**
   * @param clockOffset ns from a due time to the arrival of a packet that is on time; null where no one clock tells
   * @param timed whether the due times are times, rather than that nothing waits
   */
  conclude(clockOffset: number | null = null, timed = true): Conclusion {
    const due = this.#due.view();
    const at = this.#at.view();
    const partners = this.#matching.pair(due, at);
    const places = partners.filter((partner) => partner !== NONE);
    const arrived = new Float64Array(due.length).fill(NEVER);
    for (let index = 0; index < partners.length; index += 1) {
      const partner = partners[index] as number;
      if (partner !== NONE) arrived[partner] = at[index] as number;
    }
    const { planned, received, first } = matchedPackets(due, arrived, places.length);
    const order = disorder(places);
    const matched = planned.length;
    const errors = errorsOf(planned, received);
    const hasTiming = timed && matched > 1;
    const comparison: Comparison = {
      sent: due.length,
      received: this.#received,
      matched,
      lost: due.length - matched,
      duplicated: at.length - matched,
      foreign: this.#received - at.length,
      order,
      timed,
      timing: hasTiming ? timing(planned, errors) : null,
      lateness:
        !timed || clockOffset === null || first === null
          ? null
          : lateness(errors.deviations, first.received - first.planned - clockOffset),
      duration: { planned: planned.at(-1) ?? 0, received: received.at(-1) ?? 0 },
      consistency: consistency({
        sent: due.length,
        received: this.#received,
        displaced: order.displaced,
        timed,
        planned,
        arrived: received,
      }),
    };
    const series = first !== null && hasTiming ? seriesOf(due, first.planned, planned, errors) : null;
    return { comparison, series };
  }
}

/** In the order of the plan, ns since the first of them on either side. */
function matchedPackets(
  due: Float64Array,
  arrived: Float64Array,
  count: number,
): {
  readonly planned: Float64Array<ArrayBuffer>;
  readonly received: Float64Array<ArrayBuffer>;
  readonly first: { readonly planned: number; readonly received: number } | null;
} {
  const planned = new Float64Array(count);
  const received = new Float64Array(count);
  let first: { planned: number; received: number } | null = null;
  let index = 0;
  for (let place = 0; place < due.length; place += 1) {
    const at = arrived[place] as number;
    if (Number.isNaN(at)) continue;
    first ??= { planned: due[place] as number, received: at };
    planned[index] = (due[place] as number) - first.planned;
    received[index] = at - first.received;
    index += 1;
  }
  return { planned, received, first };
}
