// The port to what is kept of runs. A run is carried through by one coordinator at a time, its holder, and has its
// sensors to itself for as long; a holder that does not renew that in time loses both.
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunRecord } from '@capfleet/shared/contract/run-record';
import type { SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import type { ReferenceName } from '@capfleet/shared/contract/reference-clock';
import type { Nanos } from '@capfleet/shared/time/nanos';

export interface KeptRun {
  readonly record: RunRecord;
  /** One for each sensor, in the record's order. */
  readonly plans: readonly SensorPlan[];
}

export interface RunStory {
  /** The start that was committed; null: none was. */
  readonly commit: { readonly start: Nanos; readonly clock: ReferenceName } | null;
  /** It was cancelled, or is to be stopped. */
  readonly isOver: boolean;
}

export type Hold =
  | { readonly held: true }
  /** Another coordinator carries the run through. */
  | { readonly held: false; readonly by: 'coordinator' }
  | { readonly held: false; readonly by: 'run'; readonly sensor: string; readonly run: string };

export interface RunStore {
  /** Takes the run and its sensors, all or none. */
  hold(run: string, sensors: readonly string[]): Promise<Hold>;
  /** @returns false where another coordinator has the run by now */
  renew(run: string, sensors: readonly string[]): Promise<boolean>;
  create(kept: KeptRun): Promise<void>;
  /** @throws Failure `run-unknown` */
  load(run: string): Promise<KeptRun>;
  /** What its coordinators said so far. */
  story(run: string): Promise<RunStory>;
  /** Asks whoever plays to stop, and whoever carries the run through to see to it. */
  askToStop(run: string): Promise<void>;
  /** Keeps the report, and gives run and sensors back. */
  finish(run: string, sensors: readonly string[], report: RunReport): Promise<void>;
  /** Gives run and sensors back; there is no report. */
  release(run: string, sensors: readonly string[]): Promise<void>;
  /** Null while there is none. */
  report(run: string): Promise<RunReport | null>;
  /** All that are kept, the latest first. */
  runs(): Promise<readonly RunRecord[]>;
  /** Whether a coordinator carries it through at present. */
  isHeld(run: string): Promise<boolean>;
  close(): Promise<void>;
}
