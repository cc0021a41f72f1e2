// Edits captures one after another into a place. One that cannot be edited is reported with the reason, and the others
// go on; what keeps the place itself from being written ends the work.
import { resolve } from 'node:path';
import { checkName, DistinctNames } from '@capfleet/shared/archive/member-name';
import type { CaptureWarning } from '@capfleet/shared/capture/warning';
import { Failure, type FailureRecord } from '@capfleet/shared/errors/failure';
import type { Sink } from '@capfleet/shared/sink/sink';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { editCapture, emptyEditCounts, type EditCounts, type EditRequest } from './edit-capture.ts';

/** What became of one capture. */
export type EditOutcome =
  | (EditCounts & {
      readonly path: string;
      readonly output: string;
      readonly cutOff: CaptureWarning | null;
    })
  | { readonly path: string; readonly error: FailureRecord };

export interface EditResult {
  readonly captures: readonly EditOutcome[];
  readonly totals: EditCounts;
  /** Captures that were written. */
  readonly written: number;
}

/**
 * @param files each with the name of its output, which gets a number where it is there twice
 * @throws Failure `edit-failed` where none of several could be edited, that of the file where there is one;
 *   `output-unwritable`; the signal's reason
 */
export async function editCaptures(
  source: Source,
  files: readonly { readonly file: SourceFile; readonly output: string }[],
  sink: Sink,
  request: EditRequest,
): Promise<EditResult> {
  const captures: EditOutcome[] = [];
  const totals = emptyEditCounts();
  const names = new DistinctNames();
  const unread = new Set(files.map(({ file }) => resolve(file.path)));
  let first: Failure | null = null;
  let written = 0;
  let done = 0;
  for (const { file, output } of files) {
    request.signal.throwIfAborted();
    const before = done;
    const onProgress = (consumed: number): void => {
      request.onProgress(before + consumed);
    };
    try {
      const name = names.take(checked(output, file.path));
      unread.delete(resolve(file.path));
      const target = resolve(sink.pathOf(name));
      if (unread.has(target))
        throw new Failure('output-blocked', {
          path: target,
          reason: 'it is a capture that is still to be read',
        });
      const edited = await editCapture(source, file, sink, name, { ...request, onProgress });
      addTo(totals, edited);
      captures.push({ path: file.path, output: sink.pathOf(name), ...edited });
      written += 1;
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code === 'output-unwritable') throw thrown;
      first ??= thrown;
      captures.push({ path: file.path, error: thrown.toRecord() });
    }
    done += file.size;
  }
  if (written === 0 && first)
    throw files.length === 1
      ? first
      : new Failure('edit-failed', { files: files.length, reason: first.message }, { cause: first });
  return { captures, totals, written };
}

/** The name of a key in a bucket may lead anywhere. */
function checked(output: string, path: string): string {
  const name = checkName(output);
  if (name.refused === null) return name.name;
  throw new Failure('output-blocked', { path, reason: name.refused });
}

function addTo(totals: EditCounts, counts: EditCounts): void {
  totals.read += counts.read;
  totals.written += counts.written;
  totals.edited += counts.edited;
  for (const cause of Object.keys(totals.refused) as (keyof EditCounts['refused'])[])
    totals.refused[cause] += counts.refused[cause];
}

/** `day/a.pcapng.gz` → `day/a.pcap`: what is written is neither compressed nor pcapng. */
export function outputName(name: string): string {
  const plain = name.replace(/\.(gz|zst|zstd|lz4|xz|bz2)$/i, '').replace(/\.pcapng$/i, '.pcap');
  return /\.pcap$/i.test(plain) ? plain : `${plain}.pcap`;
}
