// Maps one capture: reads it from start to end and says what is in it. What is wrong with the file is part of the
// result; only what may pass (an I/O error) is thrown, so that the queue tries again.
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
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
export function mapFile(
  source: Source,
  file: SourceFile,
  options: MapFileOptions = {},
): Promise<MappedFile | FailedFile> {
  return orFailed(file, () => mapWhole(source, file, options));
}

/**
 * Maps a capture from bytes that are being read already; closes them.
 * @throws as `mapFile`
 */
export function mapBytes(
  bytes: ByteReader,
  file: SourceFile,
  options: MapFileOptions = {},
): Promise<MappedFile | FailedFile> {
  return orFailed(file, () => readThrough(bytes, file, options));
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
export async function mapWhole(
  source: Source,
  file: SourceFile,
  options: MapFileOptions,
): Promise<MappedFile> {
  const map = await readThrough(await source.open(file), file, options);
  await assertUnchanged(source, file);
  return map;
}

async function readThrough(
  bytes: ByteReader,
  file: SourceFile,
  options: MapFileOptions,
): Promise<MappedFile> {
  const reader = await openCapture(bytes, file.path);
  try {
    const tally = new Tally();
    do {
      tally.takeWindow(reader);
      options.onProgress?.(reader.consumed);
      options.signal?.throwIfAborted();
    } while (await reader.fill());
    return describeFile(file, reader.info, tally, reader.warnings());
  } finally {
    await reader.close();
  }
}
