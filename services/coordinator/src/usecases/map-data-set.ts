// Maps a source: lists it, enqueues one job per file that is not known yet while still listing, and gathers the
// results in a journal. Each file counts once, whatever the queue repeats. Only so many files are under way at a
// time, so that neither the queue nor this process grows with the source.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import { matches, type Source, type SourceFile, type SourceFilter } from '@capfleet/shared/source/source';
import { Catalogue } from './catalogue.ts';
import type { MapJobs, MapResult } from '../ports/map-jobs.ts';
import type { MapJournal } from '../ports/map-journal.ts';
import { MapTally, type MapProgress } from './map-progress.ts';
import { mappedSet, type MappedSet } from './mapped-set.ts';

/** Jobs that are enqueued together, and that may be under way. */
const BATCH = 500;
const MOST_OPEN = 4000;
const CLOSE_DEADLINE_MS = 3000;
/** Rounds without a result after which it is looked whether the queue still has the jobs. */
const SILENT_ROUNDS = 10;

export interface MapRequest {
  readonly source: string;
  readonly filter: SourceFilter;
  /** Whether an estimate from both ends of a file will do. */
  readonly quick: boolean;
  /** How long to wait for a first mapper to show up; ms. */
  readonly workerTimeoutMs: number;
  /** Names the Redis in errors. */
  readonly redis: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: MapProgress) => void;
}

/**
 * @throws Failure `folder-missing`, `no-matching-file`, `no-mapper`, `journal-failed`, or the
 *   signal's reason; what was mapped until then is in the journal
 */
export async function mapDataSet(
  source: Source,
  jobs: MapJobs,
  journal: MapJournal,
  request: MapRequest,
): Promise<MappedSet> {
  const run = new Mapping(source, jobs, journal, request);
  let done = false;
  try {
    const set = await run.run();
    done = true;
    return set;
  } finally {
    // A Redis that is gone must not keep the command from ending.
    await Promise.race([jobs.close(!done && journal.willStay()), sleep(CLOSE_DEADLINE_MS)]);
  }
}

class Mapping {
  readonly #catalogue = new Catalogue();
  readonly #tally: MapTally;
  readonly #source: Source;
  readonly #jobs: MapJobs;
  readonly #journal: MapJournal;
  readonly #request: MapRequest;
  #onRoom: () => void = () => undefined;
  #listingFailed = false;

  constructor(source: Source, jobs: MapJobs, journal: MapJournal, request: MapRequest) {
    this.#source = source;
    this.#jobs = jobs;
    this.#journal = journal;
    this.#request = request;
    this.#tally = new MapTally(request.onProgress);
  }

  async run(): Promise<MappedSet> {
    for await (const { map, place } of this.#journal.entries()) this.#catalogue.remember(map, place);
    this.#jobs.onProgress((path, part, consumed) => {
      this.#tally.reading(path, part, consumed);
    });
    const listing = this.#list();
    // An error of the listing is thrown below; until then it must not count as unhandled.
    listing.catch(() => (this.#listingFailed = true));
    await this.#gather();
    await listing;
    const set = await mappedSet(this.#catalogue, this.#journal);
    const { timed, empty, failed } = set.rows;
    if (timed.length + empty.length + failed.length === 0) this.#failForNothing();
    return set;
  }

  async #list(): Promise<void> {
    const { source, filter, quick, signal } = this.#request;
    let batch: SourceFile[] = [];
    let weight = 0;
    for await (const file of this.#source.list(source, filter)) {
      signal.throwIfAborted();
      this.#tally.listed(file);
      if (this.#catalogue.reuse(file, { estimate: quick, filter: describe(filter) })) {
        this.#tally.done(file);
        continue;
      }
      batch.push(file);
      weight += this.#jobs.jobsOf(file);
      if (weight < BATCH) continue;
      await this.#room();
      await this.#jobs.add(batch);
      batch = [];
      weight = 0;
    }
    await this.#jobs.add(batch);
    this.#tally.listingDone();
    if (this.#tally.files === 0) this.#failForNothing();
  }

  async #gather(): Promise<void> {
    const { signal, workerTimeoutMs, redis } = this.#request;
    let workerSeen = false;
    let silent = 0;
    const since = performance.now();
    const aborted = abortOf(signal);
    aborted.catch(() => undefined);
    while (!this.#complete() && !this.#listingFailed) {
      signal.throwIfAborted();
      const results = await Promise.race([this.#jobs.take(), aborted]);
      await this.#keep(results);
      silent = results.length > 0 ? 0 : silent + 1;
      if (silent > 0 && silent % SILENT_ROUNDS === 0) await this.#jobs.restoreLost();
      if (workerSeen || this.#jobs.open === 0) continue;
      if (results.length > 0 || (await this.#jobs.countWorkers()) > 0) workerSeen = true;
      else if (performance.now() - since > workerTimeoutMs) {
        throw new Failure('no-mapper', { seconds: workerTimeoutMs / 1000, url: redis });
      }
    }
  }

  async #keep(results: readonly MapResult[]): Promise<void> {
    const fresh: FileMap[] = [];
    for (const { asked, map } of results) {
      const isMember = map.path !== asked.path;
      if (!isMember) this.#tally.done(asked);
      // Of a tarball all members are mapped in one pass; those that were not asked for are let go here.
      if (isMember && !matches(map.path, this.#request.filter)) continue;
      const kept = isMember ? { ...map, archive: asked.path } : this.#asAsked(map);
      if (!this.#catalogue.has(kept)) fresh.push(kept);
    }
    if (fresh.length > 0) {
      const places = await this.#journal.append(fresh);
      fresh.forEach((map, index) => {
        const place = places[index];
        if (place) this.#catalogue.add(map, place);
      });
    }
    if (this.#jobs.open <= MOST_OPEN - BATCH) this.#onRoom();
  }

  #asAsked(map: FileMap): FileMap {
    return map.status === 'archive' ? { ...map, filter: describe(this.#request.filter) } : map;
  }

  /** Waits until another batch may be under way. */
  async #room(): Promise<void> {
    while (this.#jobs.open > MOST_OPEN - BATCH) {
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
      this.#request.signal.throwIfAborted();
    }
  }

  /** No file, or tarballs without a member, is let through. */
  #failForNothing(): never {
    const { source, filter } = this.#request;
    throw new Failure('no-matching-file', { path: source, filter: describe(filter) });
  }

  #complete(): boolean {
    return this.#tally.isListed && this.#jobs.open === 0;
  }
}

/** Rejects when the signal is aborted. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function describe({ suffix, pattern }: SourceFilter): string {
  const parts = [
    suffix === '' ? null : `suffix "${suffix}"`,
    pattern === null ? null : `regexp ${pattern.source}`,
  ];
  const said = parts.filter((part) => part !== null);
  return said.length > 0 ? said.join(' and ') : 'anything';
}
