// What became of the packets that a feed has read, as far as it decides.
import type { RefusalCause } from '@capfleet/shared/contract/report';
import type { Nanos } from '@capfleet/shared/time/nanos';

/** Why a packet that was read is not even written. */
export type FeedRefusal = Extract<RefusalCause, 'link-type' | 'backwards' | 'filtered' | 'oversize'>;

/** A frame that is larger than the interface takes. */
export interface Oversize {
  readonly path: string;
  readonly bytes: number;
  readonly limit: number;
}

export interface FeedCounts {
  /** Packets read and due in this run; of one that is split, its segments instead. */
  read: number;
  /** Packets of the files that are due, but another sensor's; none of what is counted here besides is of them. */
  elsewhere: number;
  /** Of those read, packets that are not written. */
  readonly refused: Record<FeedRefusal, number>;
  /** Of those read, stamps earlier than that of the packet before in their file. */
  backwards: number;
  /** Packets whose stamp ran backwards and that were put in order. */
  reordered: number;
  /** Frames written without their end. */
  truncated: number;
  /** Frames that were split, and the segments of them that are written. */
  segmented: number;
  segments: number;
  firstOversize: Oversize | null;
  /** Time that gaps were shortened by, ns on the wire. */
  shortened: Nanos;
  /** Loops wholly read. */
  loops: number;
}

export function emptyFeedCounts(): FeedCounts {
  return {
    read: 0,
    elsewhere: 0,
    refused: { 'link-type': 0, backwards: 0, filtered: 0, oversize: 0 },
    backwards: 0,
    reordered: 0,
    truncated: 0,
    segmented: 0,
    segments: 0,
    firstOversize: null,
    shortened: 0n,
    loops: 0,
  };
}
