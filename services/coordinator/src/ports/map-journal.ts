// The port to the journal of one mapping: every map as it came, kept over a crash of the coordinator, so that what
// was mapped is not mapped again. It also holds the maps of the dump that a mapping brings up to date.
import type { FileMap } from '@capfleet/shared/dataset/file-map';

/** Where a map lies in the journal. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

export interface MapJournal {
  /** Name of the mapping in the queue; the same when it is taken up again, so that its jobs and results are found. */
  readonly request: string;
  /** Whether it will be there for another run of the same mapping, should this one fail. */
  willStay(): boolean;
  /** What was there when it was opened, in the order it came. */
  entries(): AsyncIterable<{ readonly map: FileMap; readonly place: Place }>;
  /** @throws Failure `journal-failed` */
  append(maps: readonly FileMap[]): Promise<readonly Place[]>;
  /** @throws Failure `journal-failed` */
  read(place: Place): Promise<FileMap>;
}
