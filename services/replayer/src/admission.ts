// Which packets of the sequence go out, and how much of each: the window of the run, the sensor's share, stamps that run
// backwards, frames that cannot be sent, the filter, frames that the interface does not take. What does not go out is
// counted by cause; what is another sensor's is counted as that, and as nothing else.
import type { BpfFilter } from '@capfleet/shared/bpf/filter';
import type { ReplayPolicies, RunTimeline } from '@capfleet/shared/dataset/replay-plan';
import { toSecondsAndNanos } from '@capfleet/shared/time/nanos';
import type { EditablePacket, OutgoingFrame } from '@capfleet/shared/edit/frame-editor';
import type { FlowShare } from '@capfleet/shared/flow/flow-share';
import type { FeedCounts, FeedRefusal } from './feed-counts.ts';
import { largestFrame } from './frame-limit.ts';
import type { Merge } from './merge.ts';
import { TcpSegmenter } from './segment.ts';

export class Admission {
  /** Of the packet that `lengthOf` was asked for: what it is split into, at the first segment; null: it is not. */
  segments: TcpSegmenter | null = null;

  /** Whether the packet that `claims` was asked for last is this sensor's. */
  #isOwn = true;
  readonly #segmenter = new TcpSegmenter();
  readonly #policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>;
  readonly #mtu: number | null;
  readonly #filter: BpfFilter | null;
  readonly #share: FlowShare | null;
  readonly #counts: FeedCounts;
  readonly #windowed: boolean;
  readonly #from: { readonly seconds: number; readonly nanos: number };
  readonly #to: { readonly seconds: number; readonly nanos: number };

  constructor(
    { windowed, base, period }: RunTimeline,
    policies: Pick<ReplayPolicies, 'backwards' | 'oversize'>,
    mtu: number | null,
    filter: BpfFilter | null,
    share: FlowShare | null,
    counts: FeedCounts,
  ) {
    this.#policies = policies;
    this.#mtu = mtu;
    this.#filter = filter;
    this.#share = share;
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

  /**
   * What a limit counts so far: what was read. Of a set that is shared by flow these are packets, since nobody knows
   * into how many segments another sensor splits one.
   */
  get counted(): number {
    const { read, elsewhere, segmented, segments } = this.#counts;
    return this.#share ? read - segments + segmented + elsewhere : read;
  }

  /** Whether the packet is this sensor's. Asked for every packet that is not outside of the window, in their order. */
  claims(packet: EditablePacket, { isBackwards, isReordered }: Merge): boolean {
    this.segments = null;
    this.#isOwn = this.#share?.owns(packet) ?? true;
    if (!this.#isOwn) return false;
    if (isBackwards) this.#counts.backwards += 1;
    if (isReordered) this.#counts.reordered += 1;
    return true;
  }

  /** Whether the packet goes out by its stamp; else it is counted. */
  admits(merge: Merge): boolean {
    if (this.#policies.backwards === 'send' || !merge.isLate) return true;
    this.refuse('backwards');
    return false;
  }

  /** Whether the filter lets the frame go; else it is counted. */
  passes({ bytes, start, length }: OutgoingFrame): boolean {
    if (this.#filter?.matches(bytes, start, length) !== false) return true;
    this.refuse('filtered');
    return false;
  }

  /** How many bytes of an own frame go out, or of its first segment; null: it does not, and is counted. */
  lengthOf({ bytes, start, length, wireLength }: OutgoingFrame, path: string): number | null {
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

  /** Counts a packet that is due, but another sensor's. */
  passOver(): void {
    this.#counts.elsewhere += 1;
  }

  /** Counts a packet that was read and does not go out; another sensor counts its own by cause. */
  refuse(cause: FeedRefusal): null {
    if (!this.#isOwn) {
      this.passOver();
      return null;
    }
    this.#counts.read += 1;
    this.#counts.refused[cause] += 1;
    return null;
  }
}
