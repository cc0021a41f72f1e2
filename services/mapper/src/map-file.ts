// Maps one capture: reads it from start to end and says what is in it. What is wrong with the file is part of the
// result; only what may pass (an I/O error) is thrown, so that the queue tries again.
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { failedFile, type FailedFile, type MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { assertUnchanged, describeFile } from './mapped-file.ts';
import { Tally } from './tally.ts';

export interface MapFileOptions {
  /** Called between windows with the bytes of the file read so far. */
  readonly onProgress?: (consumed: number) => void;
  /** Ends the work early with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** @throws Failure where it is retryable; any other failure is the result's `error` */
export async function mapFile(
  source: Source,
  file: SourceFile,
  options: MapFileOptions = {},
): Promise<MappedFile | FailedFile> {
  return orFailed(file, () => readThrough(source, file, options));
}

/** What the work gives, or the file as failed where another attempt can't help. */
export async function orFailed(
  file: SourceFile,
  work: () => Promise<MappedFile>,
): Promise<MappedFile | FailedFile> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof Failure && !thrown.retryable) return failedFile(file, thrown);
    throw thrown;
  }
}

/** @throws Failure for anything that keeps the file from being mapped */
export async function readThrough(
  source: Source,
  file: SourceFile,
  options: MapFileOptions,
): Promise<MappedFile> {
  const reader = await openCapture(await source.open(file), file.path);
  try {
    const tally = new Tally();
    do {
      tally.takeWindow(reader);
      options.onProgress?.(reader.consumed);
      options.signal?.throwIfAborted();
    } while (await reader.fill());
    await assertUnchanged(source, file);
    return describeFile(file, reader.info, tally, reader.warnings());
  } finally {
    await reader.close();
  }
}
