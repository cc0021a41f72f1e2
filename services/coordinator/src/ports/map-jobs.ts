// The port to the mappers of one map request.
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import type { SourceFile } from '@capfleet/shared/source/source';

export interface MapJobs {
  /** Enqueues one job per file; a file that was added before is not added again. */
  add(files: readonly SourceFile[]): Promise<void>;
  /**
   * The results since the last call, waiting up to about a second for the first. The same file may come more
   * than once (a mapper that died after its result); jobs that the queue gave up come as failed files.
   */
  take(): Promise<readonly FileMap[]>;
  /**
   * Adds again what the queue has lost: files without a result while no job of any kind is left (a Redis that was
   * restarted without its data). Harmless otherwise.
   */
  restoreLost(): Promise<void>;
  /** Called with the bytes read so far of a file that is being mapped. */
  onProgress(listener: (path: string, consumed: number) => void): void;
  /** Mappers that are connected now. */
  countWorkers(): Promise<number>;
  /** Takes back what no mapper has begun, and forgets the results. */
  close(): Promise<void>;
}
