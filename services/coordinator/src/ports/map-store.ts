// The port to the mappings that were asked for. Each is carried through by one coordinator at a time, its holder.
import type { MapRecord, MapState } from '@capfleet/shared/contract/map-record';
import type { MapJournal } from './map-journal.ts';

export interface AskedMap {
  readonly record: MapRecord;
  readonly state: MapState;
}

export interface MapStore {
  /** Takes or renews the hold. @returns false where another coordinator has it */
  hold(map: string): Promise<boolean>;
  release(map: string): Promise<void>;
  create(record: MapRecord): Promise<void>;
  /** @throws Failure `map-unknown` */
  load(map: string): Promise<AskedMap>;
  /** The latest first, at most so many. */
  list(most: number): Promise<readonly AskedMap[]>;
  /** Those that are not over and that no coordinator carries through. */
  adrift(): Promise<readonly string[]>;
  show(map: string, state: MapState): Promise<void>;
  askToStop(map: string): Promise<void>;
  isStopAsked(map: string): Promise<boolean>;
  /** Keeps how it ended, and gives it back. */
  finish(map: string, state: MapState): Promise<void>;
  /** What was mapped so far. @param stays whether it will be needed when the mapping ends early */
  journal(map: string, stays: () => boolean): Promise<MapJournal>;
  close(): void;
}
