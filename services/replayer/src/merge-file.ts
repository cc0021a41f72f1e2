// A file of a plan as one of a merge: opened when the sequence comes to it, and held against its mapping when done.
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { breakingKinds } from '@capfleet/shared/capture/warning';
import { MODEST_WINDOW_BYTES } from '@capfleet/shared/capture/window';
import { noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import { canGoOut } from '@capfleet/shared/edit/to-ethernet';
import type { PlanFile } from '@capfleet/shared/dataset/replay-plan';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import type { MergeFile } from './merge.ts';
import { findPlanned } from './planned-file.ts';

/** Files whose reading failed are named up to this many. */
const MOST_ERRORS = 20;

export interface FileError {
  readonly path: string;
  readonly message: string;
}

/**
 * @param ahead bytes to read ahead, where the source does that
 * @param errors gets what went wrong with the file
 * @param edits of the run: they say which link types can go out
 */
export function mergeFileOf(
  file: PlanFile,
  source: Source,
  ahead: number,
  errors: FileError[],
  edits: EditPlan = noEdits,
): MergeFile {
  return {
    path: file.path,
    earliest: BigInt(file.earliest),
    async open() {
      const bytes = await source.open(await findPlanned(source, file), { ahead });
      const reader = await openCapture(bytes, file.path, MODEST_WINDOW_BYTES);
      if (reader.info.linkTypes.every((linkType) => canGoOut(linkType, edits))) return reader;
      await reader.close();
      throw new Failure('file-changed', { path: file.path, difference: 'its link type is another' });
    },
    done(packets, reader, failure) {
      if (errors.length >= MOST_ERRORS) return;
      if (failure !== undefined) errors.push({ path: file.path, message: reasonOf(failure) });
      else if (packets !== file.packets) {
        const broken = reader?.warnings().find(({ kind }) => breakingKinds.has(kind));
        errors.push({
          path: file.path,
          message: `${String(packets)} packets read, ${String(file.packets)} mapped${broken ? ` (${broken.message})` : ''}`,
        });
      }
    },
  };
}
