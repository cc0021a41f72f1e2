// Maps one capture: reads it from start to end and says what is in it. What is wrong with the file is part of the
// result; only what may pass (an I/O error) is thrown, so that the queue tries again.
import type { ByteReader } from '@capfleet/shared/capture/byte-reader';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { breakingKinds, type CaptureWarning } from '@capfleet/shared/capture/warning';
import {
  failedFile,
  type FailedFile,
  type FileMap,
  type MappedFile,
} from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
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
): Promise<FileMap> {
  try {
    const map = await readThrough(await source.open(file), file, options);
    await assertUnchanged(source, file);
    return map;
  } catch (thrown) {
    return failedUnlessPassing(file, thrown);
  }
}

/**
 * Maps a capture from bytes that are being read already; closes them.
 * @throws as `mapFile`
 */
export async function mapBytes(
  bytes: ByteReader,
  file: SourceFile,
  options: MapFileOptions = {},
): Promise<FileMap> {
  try {
    return await readThrough(bytes, file, options);
  } catch (thrown) {
    return failedUnlessPassing(file, thrown);
  }
}

function failedUnlessPassing(file: SourceFile, thrown: unknown): FailedFile {
  if (thrown instanceof Failure && !thrown.retryable) return failedFile(file, thrown);
  throw thrown;
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
    return describe(file, reader.info, tally, reader.warnings());
  } finally {
    await reader.close();
  }
}

function describe(
  file: SourceFile,
  info: Awaited<ReturnType<typeof openCapture>>['info'],
  tally: Tally,
  warnings: CaptureWarning[],
): MappedFile {
  const text = (time: bigint | null): string | null => (time === null ? null : String(time));
  if (tally.packets === 0 && warnings.length === 0) {
    warnings.push({ kind: 'no-packets', count: 1, offset: 0, message: 'the capture holds no packet' });
  }
  return {
    path: file.path,
    name: file.name,
    fileSize: file.size,
    version: file.version,
    ...(file.within && { within: file.within }),
    status: warnings.some(({ kind }) => breakingKinds.has(kind)) ? 'partial' : 'ok',
    format: info.format,
    compression: info.compression,
    byteOrder: info.byteOrder,
    resolution: info.resolution,
    snaplen: info.snaplen,
    linkTypes: [...info.linkTypes],
    packets: tally.packets,
    ...(tally.untimed > 0 && { untimed: tally.untimed }),
    capturedBytes: tally.capturedBytes,
    wireBytes: tally.wireBytes,
    maxCaptured: tally.maxCaptured,
    maxWire: tally.maxWire,
    outOfOrder: tally.outOfOrder,
    first: text(tally.first),
    last: text(tally.last),
    earliest: text(tally.earliest),
    latest: text(tally.latest),
    warnings,
  };
}

/**
 * A file that grew or was replaced while it was read is an error, not a result.
 * @throws Failure `file-changed`, those of `Source.stat`
 */
export async function assertUnchanged(source: Source, file: SourceFile): Promise<void> {
  const now = await source.stat(file.path);
  if (now.size === file.size && now.version === file.version) return;
  throw new Failure('file-changed', {
    path: file.path,
    difference:
      now.size === file.size
        ? 'it was written meanwhile'
        : `${String(now.size)} bytes, listed with ${String(file.size)}`,
  });
}
