// What a mapper counts of its work, for whoever keeps the figures.
import type { MapTask } from '@capfleet/shared/contract/map-job';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import type { ErrorCode } from '@capfleet/shared/errors/codes';

export interface JobEnd {
  /** Null where the job did not fit its schema. */
  readonly task: MapTask['do'] | null;
  /** `failed`: it will not be tried again; `retried`: it will; `handed-back`: another mapper has it at once. */
  readonly outcome: 'done' | 'failed' | 'retried' | 'handed-back';
  /** Of what went wrong; null where nothing did, or the file's map says it. */
  readonly code: ErrorCode | null;
}

export interface MapperMeters {
  /** A job is taken up. @returns to be called once with how it went */
  begin(): (end: JobEnd) => void;
  /** A file has its map, or a member of a tarball. */
  mapped(map: FileMap, isMember: boolean): void;
  /** A job was found that a mapper had left behind. */
  stalled(): void;
  /** A job is tried no more, and no mapper is at it. */
  givenUp(code: ErrorCode): void;
}

export const noMeters: MapperMeters = {
  begin: () => () => undefined,
  mapped: () => undefined,
  stalled: () => undefined,
  givenUp: () => undefined,
};
