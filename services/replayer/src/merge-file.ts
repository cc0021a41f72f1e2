// A file of a plan as one of a merge: opened when the sequence comes to it, and held against its mapping when done.
import { fromBytes, readWhole } from '@capfleet/shared/capture/byte-reader';
import { openCapture } from '@capfleet/shared/capture/open-capture';
import { breakingKinds } from '@capfleet/shared/capture/warning';
import { MODEST_WINDOW_BYTES } from '@capfleet/shared/capture/window';
import { noEdits, type EditPlan } from '@capfleet/shared/edit/edit-plan';
import { canGoOut } from '@capfleet/shared/edit/to-ethernet';
import type { PlanFile, SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import type { MergeFile } from './merge.ts';
import { findPlanned } from './planned-file.ts';
import { HeldPackets, ReorderingReader } from './reorder.ts';

/** Of a small file, several times its size where it is compressed: thousands may be opened one after another. */
const SMALLEST_WINDOW_BYTES = 2048;
const COMPRESSED_AT_BEST = 8;

/** Files up to this size are read at once, and take no descriptor while they are merged. */
const HELD_WHOLE_BYTES = 16 * 1024;

/** Files whose reading failed are named up to this many. */
const MOST_ERRORS = 20;

export interface FileError {
  readonly path: string;
  readonly message: string;
}

/**
 * The files of a plan for one pass over them.
 * @param ahead bytes of a file to read ahead, where the source does that
 * @param errors gets what went wrong with the files
 */
export function plannedFiles(
  { files, edits, policies: { reorder } }: SensorPlan,
  source: Source,
  ahead: (file: PlanFile) => number,
  errors: FileError[],
): MergeFile[] {
  const merged = files.map((file) => mergeFileOf(file, source, ahead(file), errors, edits));
  if (reorder === null) return merged;
  const held = new HeldPackets();
  const window = Number(reorder);
  return merged.map((file) => ({
    ...file,
    open: async () => new ReorderingReader(await file.open(), window, held),
  }));
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
      const opened = await source.open(await findPlanned(source, file), { ahead });
      // One that has grown since it was checked is read as it was mapped.
      const bytes = isHeldWhole(file) ? fromBytes(await readWhole(opened, file.fileSize ?? 0)) : opened;
      const reader = await openCapture(bytes, file.path, windowOf(file));
      if (reader.info.linkTypes.every((linkType) => canGoOut(linkType, edits))) return reader;
      await reader.close();
      throw new Failure('file-changed', { path: file.path, difference: 'its link type is another' });
    },
    done(packets, reader, failure) {
      if (errors.length >= MOST_ERRORS) return;
      if (failure !== undefined) errors.push({ path: file.path, message: reasonOf(failure) });
      else {
        const broken = reader?.warnings().find(({ kind }) => breakingKinds.has(kind));
        if (packets === file.packets || (file.estimated === true && !broken)) return;
        errors.push({
          path: file.path,
          message: `${String(packets)} packets read, ${String(file.packets)} mapped${broken ? ` (${broken.message})` : ''}`,
        });
      }
    },
  };
}

function windowOf({ fileSize }: PlanFile): number {
  const wanted = (fileSize ?? MODEST_WINDOW_BYTES) * COMPRESSED_AT_BEST;
  return Math.min(MODEST_WINDOW_BYTES, Math.max(SMALLEST_WINDOW_BYTES, wanted));
}

/** Whether a file is open for a moment only, however long its packets take. */
export function isHeldWhole({ fileSize }: PlanFile): boolean {
  return fileSize !== null && fileSize <= HELD_WHOLE_BYTES;
}
