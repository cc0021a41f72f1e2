// The port to where the frames of a run go, in order, each with its due time: the ring of a pacer, a file, a comparison.
import type { Nanos } from '@capfleet/shared/time/nanos';

export interface FrameSink {
  /** Sets the origin of the frames that follow, ns after T0. False where there is no room now; nothing is taken then. */
  origin(origin: Nanos): boolean;
  /**
   * Takes a frame, which is copied.
   * @param due ns after the current origin
   * @returns false where there is no room now; nothing is taken then
   */
  frame(due: number, source: Buffer, start: number, length: number): boolean;
  /** Hands on what was taken so far. */
  commit(): void;
  /** Nothing comes any more. */
  end(): void;
}
