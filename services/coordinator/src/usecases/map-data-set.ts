// Maps a folder: lists it, enqueues one job per file while still listing, gathers the results into a data set.
// Each file counts once, whatever the queue repeats.
import { setTimeout as sleep } from 'node:timers/promises';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source, SourceFile, SourceFilter } from '@capfleet/shared/source/source';
import type { MapJobs } from '../ports/map-jobs.ts';

const BATCH = 500;
const CLOSE_DEADLINE_MS = 3000;
/** Rounds without a result after which it is looked whether the queue still has the jobs. */
const SILENT_ROUNDS = 10;

export interface MapProgress {
  readonly listed: boolean;
  readonly files: number;
  readonly filesDone: number;
  /** Bytes of the files as they lie there. */
  readonly bytes: number;
  readonly bytesDone: number;
}

export interface MapRequest {
  readonly folder: string;
  readonly filter: SourceFilter;
  /** How long to wait for a first mapper to show up; ms. */
  readonly workerTimeoutMs: number;
  /** Names the Redis in errors. */
  readonly redis: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: MapProgress) => void;
}

/**
 * @throws Failure `folder-missing`, `not-a-folder`, `no-matching-file`, `no-mapper`, or the signal's reason
 */
export async function mapDataSet(source: Source, jobs: MapJobs, request: MapRequest): Promise<DataSet> {
  const gathering = new Gathering(request.onProgress);
  jobs.onProgress((path, consumed) => {
    gathering.reading(path, consumed);
  });
  try {
    const listing = list(source, jobs, request, gathering);
    // An error of the listing is thrown below; until then it must not count as unhandled.
    listing.catch(() => undefined);
    await gather(jobs, request, gathering, listing);
    await listing;
    return buildDataSet(gathering.maps());
  } finally {
    // A Redis that is gone must not keep the command from ending.
    await Promise.race([jobs.close(), sleep(CLOSE_DEADLINE_MS)]);
  }
}

async function list(source: Source, jobs: MapJobs, request: MapRequest, gathering: Gathering): Promise<void> {
  let batch: SourceFile[] = [];
  for await (const file of source.list(request.folder, request.filter)) {
    request.signal.throwIfAborted();
    batch.push(file);
    if (batch.length < BATCH) continue;
    gathering.listed(batch);
    await jobs.add(batch);
    batch = [];
  }
  gathering.listed(batch);
  await jobs.add(batch);
  gathering.listingDone();
  if (gathering.files === 0) {
    throw new Failure('no-matching-file', { path: request.folder, filter: describe(request.filter) });
  }
}

async function gather(
  jobs: MapJobs,
  request: MapRequest,
  gathering: Gathering,
  listing: Promise<void>,
): Promise<void> {
  const listed = { failed: false };
  listing.catch(() => (listed.failed = true));
  let workerSeen = false;
  let silent = 0;
  const since = performance.now();
  const aborted = abortOf(request.signal);
  aborted.catch(() => undefined);
  while (!gathering.complete && !listed.failed) {
    request.signal.throwIfAborted();
    const maps = await Promise.race([jobs.take(), aborted]);
    for (const map of maps) gathering.done(map);
    silent = maps.length > 0 ? 0 : silent + 1;
    if (silent > 0 && silent % SILENT_ROUNDS === 0) await jobs.restoreLost();
    if (workerSeen || gathering.files === 0) continue;
    if (maps.length > 0 || (await jobs.countWorkers()) > 0) workerSeen = true;
    else if (performance.now() - since > request.workerTimeoutMs) {
      throw new Failure('no-mapper', { seconds: request.workerTimeoutMs / 1000, url: request.redis });
    }
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
    pattern === null ? null : `regexp ${String(pattern)}`,
  ];
  const said = parts.filter((part) => part !== null);
  return said.length > 0 ? said.join(' and ') : 'anything';
}

class Gathering {
  files = 0;
  #bytes = 0;
  #bytesDone = 0;
  #listed = false;
  readonly #maps = new Map<string, FileMap>();
  readonly #reading = new Map<string, number>();
  readonly #report: (progress: MapProgress) => void;

  constructor(report: (progress: MapProgress) => void) {
    this.#report = report;
  }

  get complete(): boolean {
    return this.#listed && this.#maps.size >= this.files;
  }

  listed(files: readonly SourceFile[]): void {
    this.files += files.length;
    for (const file of files) this.#bytes += file.size;
    this.#tell();
  }

  listingDone(): void {
    this.#listed = true;
    this.#tell();
  }

  reading(path: string, consumed: number): void {
    if (this.#maps.has(path)) return;
    this.#reading.set(path, consumed);
    this.#tell();
  }

  done(map: FileMap): void {
    this.#reading.delete(map.path);
    if (this.#maps.has(map.path)) return;
    this.#maps.set(map.path, map);
    this.#bytesDone += map.fileSize;
    this.#tell();
  }

  maps(): FileMap[] {
    return [...this.#maps.values()];
  }

  #tell(): void {
    let partial = 0;
    for (const consumed of this.#reading.values()) partial += consumed;
    this.#report({
      listed: this.#listed,
      files: this.files,
      filesDone: this.#maps.size,
      bytes: this.#bytes,
      bytesDone: Math.min(this.#bytes, this.#bytesDone + partial),
    });
  }
}
