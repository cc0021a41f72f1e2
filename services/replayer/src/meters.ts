// What an agent tells of its work to whoever keeps the figures.
import type { ErrorCode } from '@capfleet/shared/errors/codes';
import type { ClockFacts, PlayResult } from '@capfleet/shared/contract/report';
import type { Play } from './play.ts';

/** Bounds of the histogram of lateness, ns: from what a busy-waiting thread does to what anybody sees. */
export const LATENESS_BOUNDS = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000, 100_000, 1_000_000,
].map((microseconds) => microseconds * 1000);

export interface AgentMeters {
  /** A play has ended; without a result where it broke down. */
  played(play: Play, result: PlayResult | null): void;
  /** A run was refused, or a play broke down. */
  failed(code: ErrorCode): void;
}

export const noMeters: AgentMeters = { played: () => undefined, failed: () => undefined };

/** How an agent is at the moment. */
export interface AgentSight {
  /** The run that it is busy with. */
  readonly run: string | null;
  /** Since the latest registration that Redis took, ms. */
  readonly registeredAgo: number;
  readonly interface: string;
  readonly isUp: boolean;
  /** As measured for the latest run; null before the first. */
  readonly clock: ClockFacts | null;
  readonly play: Play | null;
}
