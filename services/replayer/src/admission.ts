// Which packets of the sequence go out, and how much of each: the window of the run, stamps that run backwards, frames
// that cannot be sent, the filter, frames that the interface does not take. What does not go out is counted by cause.
import type { BpfFilter } from '@capfleet/shared/bpf/filter';
import type { ReplayPolicies, RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { toSecondsAndNanos } from '@capfleet/shared/time/nanos';
import type { OutgoingFrame } from '@capfleet/shared/edit/frame-editor';
import type { FeedCounts, FeedRefusal } from './feed-counts.ts';
import { largestFrame } from './frame-limit.ts';
import type { Merge } from './merge.ts';
import { TcpSegmenter } from './segment.ts';

export class Admission {
  /** Of the packet that `lengthOf` was asked for: what it is split into, at the first segment; null: it is not. */
  segments: TcpSegmenter | null = null;

  readonly #segmenter = new TcpSegmenter();
  readonly #policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>;
  readonly #mtu: number | null;
  readonly #filter: BpfFilter | null;
  readonly #counts: FeedCounts;
  readonly #windowed: boolean;
  readonly #from: { readonly seconds: number; readonly nanos: number };
  readonly #to: { readonly seconds: number; readonly nanos: number };

  constructor(
    { windowed, base, period }: RunTimeline,
    policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>,
    mtu: number | null,
    filter: BpfFilter | null,
    counts: FeedCounts,
  ) {
    this.#policies = policies;
    this.#mtu = mtu;
    this.#filter = filter;
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

  /** How many bytes of the frame go out, or of its first segment; null: it does not, and is counted. */
  lengthOf({ bytes, start, length, wireLength }: OutgoingFrame, path: string): number | null {
    this.segments = null;
    if (this.#filter?.matches(bytes, start, length) === false) return this.refuse('filtered');
    if (this.#mtu === null || length <= this.#mtu) return length;
    const limit = largestFrame(this.#mtu, bytes, start, length);
    if (length <= limit) return length;
    this.#counts.firstOversize ??= { path, bytes: length, limit };
    switch (this.#policies.oversize) {
      // What could not be refused before the start.
      case 'fail':
      case 'skip':
        this.refuse('oversize');
        return null;
      case 'truncate':
        this.#counts.truncated += 1;
        return limit;
      case 'segment':
        if (!this.#segmenter.begin(bytes, start, length, wireLength, limit)) return this.refuse('oversize');
        this.segments = this.#segmenter;
        return this.#segmenter.length;
    }
  }

  /** Counts the current segment, which was handed on. */
  countSegment(): void {
    if (this.#segmenter.index === 0) this.#counts.segmented += 1;
    this.#counts.segments += 1;
  }

  /** Counts a packet that was read and does not go out. */
  refuse(cause: FeedRefusal): null {
    this.#counts.read += 1;
    this.#counts.refused[cause] += 1;
    return null;
  }
}
