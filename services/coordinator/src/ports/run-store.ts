// The port to what is kept of runs. A run is carried through by one coordinator at a time, its holder, and has its
// sensors to itself for as long; a holder that does not renew that in time loses both.
import type { RunCourse } from '@capfleet/shared/contract/api';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunRecord } from '@capfleet/shared/contract/run-record';
import type { RunOutcome, RunView } from '@capfleet/shared/contract/run-view';
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

export interface RunListing {
  readonly record: RunRecord;
  readonly isHeld: boolean;
  /** Null while there is no report. */
  readonly outcome: RunOutcome | null;
  /** Of one that is carried through; null also before there is something to be seen. */
  readonly view: RunView | null;
}

export type Hold =
  | { readonly held: true }
  /** Another coordinator carries the run through. */
  | { readonly held: false; readonly by: 'coordinator' }
  | { readonly held: false; readonly by: 'run'; readonly sensor: string; readonly run: string };

export interface RunStore {
  /** Takes the run and its sensors, all or none. */
  hold(run: string, sensors: readonly string[]): Promise<Hold>;
  /**
   * What is kept of a run lives on for another day.
   * @param leased sensors that it has to itself
   * @param sensors all of them, where it does not have them yet
   * @returns false where another coordinator has the run by now
   */
  renew(run: string, leased: readonly string[], sensors?: readonly string[]): Promise<boolean>;
  /** Keeps a run that is new. @returns false where its id has been taken; that run stays as it is */
  create(kept: KeptRun): Promise<boolean>;
  /** Keeps it, in the place of what is kept of it. */
  keep(kept: KeptRun): Promise<void>;
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
  /** Keeps what is to be seen of a run that is carried through, and adds it to its course. */
  show(view: RunView): Promise<void>;
  /** Null before it is carried through. */
  view(run: string): Promise<RunView | null>;
  /** How many packets are planned when, and how many were out at which time. @throws Failure `run-unknown` */
  course(run: string): Promise<RunCourse>;
  /** Those that are kept, the latest first, at most so many. */
  list(most: number): Promise<readonly RunListing[]>;
  /** @throws Failure `run-unknown` */
  listing(run: string): Promise<RunListing>;
  /** Runs without a report that no coordinator carries through. */
  adrift(): Promise<readonly string[]>;
  /** Whether a coordinator carries it through at present. */
  isHeld(run: string): Promise<boolean>;
  close(): Promise<void>;
}
