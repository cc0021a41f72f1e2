// A replay as its far end saw it, held against its plan: what was lost, what came out of order, how far each packet
// was from its time. Packets are added in the order of the plan, then in the order of arrival; only numbers are kept.
import { consistency, type Consistency } from './consistency.ts';
import { Matching, type Digest } from './matching.ts';
import { disorder } from './order.ts';
import { timing, type Timing } from './timing.ts';

export interface Comparison {
  readonly sent: number;
  readonly received: number;
  /** Sent and received. */
  readonly matched: number;
  /** Sent and not received; received and not sent. */
  readonly lost: number;
  readonly foreign: number;
  readonly order: { readonly inversions: number; readonly displaced: number };
  /** Over the packets that were matched; null under two. */
  readonly timing: Timing | null;
  /** How long the matched packets were to take, and took: ns. */
  readonly duration: { readonly planned: number; readonly received: number };
  readonly consistency: Consistency;
}

/** The matched packets, in the order of the plan. */
interface MatchedPackets {
  /** ns since the first of them. */
  readonly planned: Float64Array<ArrayBuffer>;
  readonly received: Float64Array<ArrayBuffer>;
}

const NEVER = Number.NaN;

export class ReplayComparison {
  readonly #matching = new Matching();
  readonly #planned = new Numbers();
  /** By sent packet. */
  #arrived: Float64Array<ArrayBuffer> | null = null;
  readonly #places = new Numbers();
  #received = 0;

  /** @param due ns since any instant, a plain integer */
  addPlanned(digest: Digest, due: number): void {
    this.#matching.add(digest);
    this.#planned.push(due);
  }

  /** After all that was planned. @param at ns since any instant, a plain integer */
  addReceived(digest: Digest, at: number): void {
    this.#arrived ??= new Float64Array(this.#planned.length).fill(NEVER);
    this.#received += 1;
    const place = this.#matching.take(digest);
    if (place < 0) return;
    this.#arrived[place] = at;
    this.#places.push(place);
  }

  #matched(): MatchedPackets {
    const count = this.#places.length;
    const planned = new Float64Array(count);
    const received = new Float64Array(count);
    let index = 0;
    for (const [place, at] of (this.#arrived ?? new Float64Array(0)).entries()) {
      if (Number.isNaN(at)) continue;
      planned[index] = this.#planned.at(place);
      received[index] = at;
      index += 1;
    }
    return { planned: sinceFirst(planned), received: sinceFirst(received) };
  }

  conclude(): Comparison {
    const { planned, received } = this.#matched();
    const sent = this.#planned.length;
    const matched = planned.length;
    const order = disorder(Int32Array.from(this.#places.values()));
    return {
      sent,
      received: this.#received,
      matched,
      lost: sent - matched,
      foreign: this.#received - matched,
      order,
      timing: matched < 2 ? null : timing(planned, received),
      duration: { planned: planned.at(-1) ?? 0, received: received.at(-1) ?? 0 },
      consistency: consistency({
        sent,
        received: this.#received,
        displaced: order.displaced,
        planned,
        arrived: received,
      }),
    };
  }
}

function sinceFirst(times: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const [first = 0] = times;
  return times.map((time) => time - first);
}

/** A list of numbers that takes eight bytes each. */
class Numbers {
  length = 0;
  #values = new Float64Array(1024);

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index] as number;
  }

  values(): Float64Array<ArrayBuffer> {
    return this.#values.subarray(0, this.length);
  }
}
