// Where the journal of a mapping lies: in the user's state folder under the name of the dump, so that the same
// command finds it again after a crash; for a dump without a name, in a temporary folder and for this command alone.
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type JournalFile } from '@capfleet/coordinator/adapters/journal-file';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import { mapsOfDump } from './load-dump.ts';

export interface JournalPlace {
  /** The dump's full name, or null where it has none. */
  readonly dump: string | null;
  /** Whether the maps of that dump count. */
  readonly reuse: boolean;
  /** What is mapped, and how: a journal of something else is not taken up. */
  readonly mapping: string;
  /** The folder that the user named; else the usual one. */
  readonly stateDir: string | undefined;
  readonly usualStateDir: string;
}

/**
 * @param source where the dump lies
 * @throws Failure `journal-held`, `journal-failed`
 */
export async function journalFor(source: Source, place: JournalPlace): Promise<JournalFile> {
  const { dump, mapping, stateDir, usualStateDir } = place;
  if (dump === null || !place.reuse) return temporaryJournal(mapping);
  const name = createHash('sha256').update(dump).digest('hex').slice(0, 32);
  const path = join(stateDir ?? usualStateDir, 'maps', `${name}.ndjson`);
  try {
    return await openJournal({ path, mapping, seed: knownMaps(dump, source) });
  } catch (thrown) {
    const noStateFolder = thrown instanceof Failure && thrown.code === 'journal-failed';
    if (stateDir !== undefined || !noStateFolder) throw thrown;
    return temporaryJournal(mapping, knownMaps(dump, source));
  }
}

async function temporaryJournal(
  mapping: string,
  seed: AsyncIterable<FileMap> | null = null,
): Promise<JournalFile> {
  const folder = await mkdtemp(join(tmpdir(), 'capfleet-map-'));
  const journal = await openJournal({ path: join(folder, 'journal'), mapping, seed });
  // Also where the process ends at once, because nobody reads its output any more.
  const onExit = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', onExit);
  const remove = async (): Promise<void> => {
    await journal.remove();
    await rm(folder, { recursive: true, force: true });
    process.off('exit', onExit);
  };
  return { ...journal, willStay: () => false, remove, close: () => remove().then(() => false) };
}

/** The maps of the dump that is to be brought up to date; none where it is absent, or no mapping. */
async function* knownMaps(path: string, source: Source): AsyncGenerator<FileMap> {
  try {
    yield* mapsOfDump(path, source);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
  }
}
