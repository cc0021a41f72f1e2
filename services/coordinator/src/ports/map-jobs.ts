// The port to the mappers of one map request.
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import type { SourceFile } from '@capfleet/shared/source/source';

/** The answer to one job: the map of its file, or of a member where the file is a tarball. */
export interface MapResult {
  readonly asked: SourceFile;
  /** Ends the job where it is of the file that was asked for. */
  readonly map: FileMap;
}

export interface MapJobs {
  /** Enqueues one job per file; a file that was added before is not added again. */
  add(files: readonly SourceFile[]): Promise<void>;
  /**
   * The results since the last call, waiting up to about half a second for the first. Those of the last call are
   * forgotten. The end of a job comes once, whatever the queue repeats; what members came before it may come again.
   */
  take(): Promise<readonly MapResult[]>;
  /** Jobs of the files that were added and have not ended. */
  readonly open: number;
  /** Jobs that a file takes: more than one where it is mapped in parts. */
  jobsOf(file: SourceFile): number;
  /**
   * Adds again what the queue has lost: files without a result while no job of any kind is left (a Redis that was
   * restarted without its data). Harmless otherwise.
   */
  restoreLost(): Promise<void>;
  /** Called with the bytes read so far of a file that is being mapped, or of its part that begins at an offset. */
  onProgress(listener: (path: string, part: number, consumed: number) => void): void;
  /** Mappers that are connected now. */
  countWorkers(): Promise<number>;
  /** Ends the connections. `keep`: leaves jobs and results for who takes the request up again; else takes them back. */
  close(keep: boolean): Promise<void>;
}
