// The queue side of a mapper: takes map jobs, checks them, maps, puts the result on the request's stream. The
// result is written before the job completes, so a mapper that dies in between only makes the file be mapped
// twice; who gathers results counts each file once.
import { UnrecoverableError, Worker, type Job } from 'bullmq';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import { mapJobSchema, requestOfJob, type MapJob } from '@capfleet/shared/contract/map-job';
import { failedFile, type FileMap } from '@capfleet/shared/dataset/file-map';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { optionsOf } from '@capfleet/shared/redis/connect';
import { isInside } from '@capfleet/shared/source/roots';
import type { Source } from '@capfleet/shared/source/source';
import { mapFile } from './map-file.ts';
import { resultStream, type ResultStream } from './result-stream.ts';

/** A mapper that is killed leaves its job locked this long; then another takes it up. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5000;
/** Times a job may be left by a dying mapper before it is given up. */
const MAX_STALLED = 3;
const PROGRESS_INTERVAL_MS = 250;
/** A mapper asked to end finishes its file within this time, or hands it back. */
const CLOSE_DEADLINE_MS = 10_000;

export interface MapperOptions {
  readonly redis: string;
  readonly source: Source;
  /** Folders and S3 prefixes that jobs may read from; a job for any other path is refused. */
  readonly roots: readonly string[];
  /** Files mapped side by side in this process. */
  readonly concurrency: number;
  readonly lockMs?: number;
  readonly log: Logger;
}

export interface Mapper {
  /** Ends after the current files, at the latest after the deadline. */
  close(): Promise<void>;
}

export async function startMapper(options: MapperOptions): Promise<Mapper> {
  const { log } = options;
  const lockMs = options.lockMs ?? LOCK_MS;
  const results = resultStream(options.redis, log);
  const stopping = new AbortController();
  const worker = new Worker(
    mapQueue,
    (job) =>
      processJob(job, {
        results,
        source: options.source,
        roots: options.roots,
        log,
        signal: stopping.signal,
      }),
    {
      connection: optionsOf(options.redis),
      prefix: PREFIX,
      concurrency: options.concurrency,
      lockDuration: lockMs,
      stalledInterval: Math.min(STALLED_CHECK_MS, lockMs / 2),
      maxStalledCount: MAX_STALLED,
    },
  );
  worker.on('error', (error) => {
    log.warn({ reason: error.message }, 'worker');
  });
  worker.on('failed', (job, error) => {
    log.warn({ job: job?.id, attempt: job?.attemptsMade, reason: error.message }, 'attempt failed');
    if (!job?.finishedOn) return;
    giveUp(job, error.message, results).catch((thrown: unknown) => {
      log.error({ job: job.id, err: thrown }, 'telling that a job was given up failed');
    });
  });
  await worker.waitUntilReady();
  log.info({ roots: options.roots, concurrency: options.concurrency }, 'mapper ready');
  return {
    async close() {
      const deadline = setTimeout(() => {
        stopping.abort(
          new Failure('read-failed', { path: 'the file', reason: 'the mapper is shutting down' }),
        );
      }, CLOSE_DEADLINE_MS);
      await worker.close();
      clearTimeout(deadline);
      results.close();
      log.info('mapper ended');
    },
  };
}

interface JobContext {
  readonly results: ResultStream;
  readonly source: Source;
  readonly roots: readonly string[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

async function processJob(job: Job, context: JobContext): Promise<void> {
  const parsed = mapJobSchema.safeParse(job.data);
  if (!parsed.success) {
    const reason = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    const failure = new Failure('job-invalid', { queue: mapQueue, reason });
    context.log.error({ job: job.id, reason }, 'refused a job that does not fit its schema');
    throw new UnrecoverableError(failure.message);
  }
  const { request, file } = parsed.data;
  const started = performance.now();
  const map = await mapOrFail(job, parsed.data, context);
  await context.results.put(request, { job: job.id ?? '', map });
  context.log.info(
    {
      job: job.id,
      request,
      path: file.path,
      status: map.status,
      ms: Math.round(performance.now() - started),
    },
    'mapped',
  );
}

async function mapOrFail(job: Job, { request, file }: MapJob, context: JobContext): Promise<FileMap> {
  // A path that does not exist is reported as such, not as forbidden.
  const place = file.within?.path ?? file.path;
  if (!(await isInside(place, context.roots))) {
    const missing = await context.source.stat(place).then(
      () => null,
      (thrown: unknown) => asFailure(thrown),
    );
    if (missing === null)
      context.log.warn({ job: job.id, path: file.path }, 'refused a path outside the roots');
    return failedFile(file, missing ?? new Failure('file-outside-roots', { path: file.path }));
  }
  let reported = performance.now();
  try {
    return await mapFile(context.source, file, {
      signal: context.signal,
      onProgress(consumed) {
        const now = performance.now();
        if (now - reported < PROGRESS_INTERVAL_MS) return;
        reported = now;
        // For the coordinator, and for who looks at the queue.
        context.results.put(request, { job: job.id ?? '', consumed }).catch(() => undefined);
        job.updateProgress({ consumed }).catch(() => undefined);
      },
    });
  } catch (thrown) {
    const failure = asFailure(thrown);
    const attemptsLeft = (job.opts.attempts ?? 1) - job.attemptsMade - 1;
    if (context.signal.aborted || (failure.retryable && attemptsLeft > 0)) throw failure;
    if (failure.code === 'internal') context.log.error({ job: job.id, err: thrown }, 'mapping failed');
    return failedFile(file, failure);
  }
}

/** Tells the coordinator of a job that the queue gives up; it cannot know otherwise. */
async function giveUp(job: Job, reason: string, results: ResultStream): Promise<void> {
  const id = job.id ?? '';
  const request = requestOfJob(id);
  if (request === null) return;
  const failure = reason.includes('stalled')
    ? new Failure('worker-crashed', { path: pathOf(job), times: 'several' })
    : new Failure('read-failed', { path: pathOf(job), reason });
  await results.put(request, { job: id, givenUp: failure.toRecord() });
}

/** The data of a job may be anything. */
function pathOf(job: Job): string {
  const parsed = mapJobSchema.safeParse(job.data);
  return parsed.success ? parsed.data.file.path : 'a file';
}
