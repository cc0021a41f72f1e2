// Which packets of the sequence go out, and how much of each: the window of the run, stamps that run backwards, frames
// that cannot be sent, frames that the interface does not take. What does not go out is counted by cause.
import type { ReplayPolicies, RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { toSecondsAndNanos } from '@capfleet/shared/time/nanos';
import type { OutgoingFrame } from '@capfleet/shared/edit/frame-editor';
import type { FeedCounts, FeedRefusal } from './feed-counts.ts';
import { largestFrame } from './frame-limit.ts';
import type { Merge } from './merge.ts';

export class Admission {
  readonly #policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>;
  readonly #mtu: number | null;
  readonly #counts: FeedCounts;
  readonly #windowed: boolean;
  readonly #from: { readonly seconds: number; readonly nanos: number };
  readonly #to: { readonly seconds: number; readonly nanos: number };

  constructor(
    { windowed, base, period }: RunTimeline,
    policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>,
    mtu: number | null,
    counts: FeedCounts,
  ) {
    this.#policies = policies;
    this.#mtu = mtu;
    this.#counts = counts;
    this.#windowed = windowed;
    this.#from = toSecondsAndNanos(BigInt(base));
    this.#to = toSecondsAndNanos(BigInt(base) + BigInt(period));
  }

  /** Whether the sequence has come to the end of the window. */
  isBehindWindow({ placeSeconds, placeNanos }: Merge): boolean {
    if (!this.#windowed) return false;
    const to = this.#to;
    return placeSeconds > to.seconds || (placeSeconds === to.seconds && placeNanos > to.nanos);
  }

  /** Whether the packet's own stamp is outside of the window. */
  isOutside({ seconds, nanos }: Merge): boolean {
    if (!this.#windowed) return false;
    const from = this.#from;
    const to = this.#to;
    if (seconds < from.seconds || (seconds === from.seconds && nanos < from.nanos)) return true;
    return seconds > to.seconds || (seconds === to.seconds && nanos > to.nanos);
  }

  /** Whether the packet goes out by its stamp; else it is counted. */
  admits(merge: Merge): boolean {
    if (this.#policies.backwards === 'send' || !merge.isLate) return true;
    this.refuse('backwards');
    return false;
  }

  /** How many bytes of the frame go out; null: it does not, and is counted. */
  lengthOf({ bytes, start, length }: OutgoingFrame, path: string): number | null {
    if (this.#mtu === null || length <= this.#mtu) return length;
    const limit = largestFrame(this.#mtu, bytes, start, length);
    if (length <= limit) return length;
    this.#counts.firstOversize ??= { path, bytes: length, limit };
    switch (this.#policies.oversize) {
      case 'fail':
        return length;
      case 'skip':
        this.refuse('oversize');
        return null;
      case 'truncate':
        this.#counts.truncated += 1;
        return limit;
    }
  }

  /** Counts a packet that was read and does not go out. */
  refuse(cause: FeedRefusal): void {
    this.#counts.read += 1;
    this.#counts.refused[cause] += 1;
  }
}
