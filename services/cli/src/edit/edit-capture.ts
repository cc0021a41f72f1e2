// Reads one capture and writes it edited, frame by frame, in constant memory. The output is there whole or not at all.
import { pipeline } from 'node:stream/promises';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import type { PacketReader } from '@capfleet/shared/capture/packet-reader';
import { PcapChunk } from '@capfleet/shared/capture/pcap-chunk';
import { breakingKinds, type CaptureWarning } from '@capfleet/shared/capture/warning';
import type { EditPlan } from '@capfleet/shared/edit/edit-plan';
import { createFrameEditor } from '@capfleet/shared/edit/frame-editor';
import { canGoOut, type ConversionRefusal } from '@capfleet/shared/edit/to-ethernet';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Sink } from '@capfleet/shared/sink/sink';
import type { Source, SourceFile } from '@capfleet/shared/source/source';

/** Why a packet that was read is not in the output. */
export type EditRefusal =
  | ConversionRefusal
  /** pcap holds no stamp of its time. */
  | 'stamp';

/** read = written + the sum of refused. */
export interface EditCounts {
  read: number;
  written: number;
  /** Of those written, frames that differ from what was read. */
  edited: number;
  readonly refused: Record<EditRefusal, number>;
}

export interface EditRequest {
  readonly plan: EditPlan;
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  /** Called with the bytes of the file read so far. */
  readonly onProgress: (consumed: number) => void;
}

export interface EditedCapture extends EditCounts {
  /** Why the capture ended before its end; null: it did not. */
  readonly cutOff: CaptureWarning | null;
}

export function emptyEditCounts(): EditCounts {
  const refused = { 'link-type': 0, 'header-cut': 0, 'not-ethernet': 0, stamp: 0 };
  return { read: 0, written: 0, edited: 0, refused };
}

/**
 * @param name of the output in the sink
 * @throws Failure `edit-link-type`, `output-…`, those of reading; the signal's reason
 */
export async function editCapture(
  source: Source,
  file: SourceFile,
  sink: Sink,
  name: string,
  request: EditRequest,
): Promise<EditedCapture> {
  const { plan, overwrite, signal } = request;
  const reader = await openCapture(await source.open(file), file.path);
  try {
    const { linkTypes } = reader.info;
    const [linkType] = linkTypes;
    if (linkType !== undefined && !linkTypes.some((type) => canGoOut(type, plan)))
      throw new Failure('edit-link-type', { path: file.path, linkType });
    const output = await sink.create(name, { mtime: null, overwrite });
    const counts = emptyEditCounts();
    try {
      await pipeline(editedChunks(reader, counts, request), output.writable, { signal });
      await output.commit();
    } catch (thrown) {
      await output.abort();
      signal.throwIfAborted();
      if (thrown instanceof Failure) throw thrown;
      const path = sink.pathOf(name);
      throw new Failure('output-unwritable', { path, reason: reasonOf(thrown) }, { cause: thrown });
    }
    return { ...counts, cutOff: reader.warnings().find(({ kind }) => breakingKinds.has(kind)) ?? null };
  } finally {
    await reader.close();
  }
}

async function* editedChunks(
  reader: PacketReader,
  counts: EditCounts,
  { plan, onProgress }: EditRequest,
): AsyncGenerator<Buffer> {
  const editor = createFrameEditor(plan);
  const chunk = new PcapChunk();
  do {
    while (reader.advance()) {
      counts.read += 1;
      const { seconds, nanos } = reader;
      const refusal = PcapChunk.holds(seconds) ? editor.edit(reader) : 'stamp';
      if (refusal !== null) {
        counts.refused[refusal] += 1;
        continue;
      }
      counts.written += 1;
      if (editor.changed) counts.edited += 1;
      const { bytes, start, length, wireLength } = editor;
      if (chunk.add(seconds, nanos, bytes, start, length, wireLength)) continue;
      yield chunk.take();
      chunk.add(seconds, nanos, bytes, start, length, wireLength);
    }
    onProgress(reader.consumed);
  } while (await reader.fill());
  yield chunk.take();
}
