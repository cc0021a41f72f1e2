// The queue side of a mapper: takes map jobs, checks them, maps, puts the result on the request's stream. The
// result is written before the job completes, so a mapper that dies in between only makes the file be mapped
// twice; who gathers results counts each file once. A mapper that ends hands back what it cannot finish in time.
import { UnrecoverableError, WaitingError, Worker, type Job } from 'bullmq';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import { mapJobSchema, requestOfJob, type MapJob } from '@capfleet/shared/contract/map-job';
import type { PartMap } from '@capfleet/shared/contract/part-map';
import { failedFile, type FileMap } from '@capfleet/shared/dataset/file-map';
import type { ErrorCode } from '@capfleet/shared/errors/codes';
import { asFailure, Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { fenceOf, type Fence } from '@capfleet/shared/source/roots';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import type { MapFileOptions } from './map-file.ts';
import type { JobEnd, MapperMeters } from './meters.ts';
import { resultStream, type ResultStream } from './result-stream.ts';
import { mapAny, mapJoined, mapStretch } from './tasks.ts';

/** A mapper that is killed leaves its job locked this long; then another takes it up. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5000;
/** Times a job may be left by a dying mapper before it is given up. */
const MAX_STALLED = 3;
const PROGRESS_INTERVAL_MS = 250;

export interface MapperOptions {
  readonly redis: string;
  readonly source: Source;
  /** Folders and S3 prefixes that jobs may read from; a job for any other path is refused. */
  readonly roots: readonly string[];
  /** Files mapped side by side in this process. */
  readonly concurrency: number;
  readonly lockMs?: number;
  /** A mapper told to end finishes its files within this time, or hands them back to the others. */
  readonly graceMs: number;
  readonly meters: MapperMeters;
  readonly log: Logger;
}

export interface Mapper {
  /** @throws Failure `service-unready` */
  check(): Promise<void>;
  /** Ends after the current files, which are handed back when the time for them is over. */
  close(): Promise<void>;
}

export async function startMapper(options: MapperOptions): Promise<Mapper> {
  const { log, meters, graceMs } = options;
  const lockMs = options.lockMs ?? LOCK_MS;
  const results = resultStream(options.redis, log);
  const client = connect(options.redis, 'mapper', log);
  const isAllowed = fenceOf(options.roots);
  const stopping = new AbortController();
  let isEnding = false;
  const worker = new Worker(
    mapQueue,
    (job, token = '') =>
      processJob(job, token, {
        results,
        source: options.source,
        isAllowed,
        meters,
        log,
        signal: stopping.signal,
      }),
    {
      connection: client,
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
    giveUp(job, error.message, { results, meters }).catch((thrown: unknown) => {
      log.error({ job: job.id, err: thrown }, 'telling that a job was given up failed');
    });
  });
  worker.on('stalled', (job) => {
    log.warn({ job }, 'a mapper left a job behind');
    meters.stalled();
  });
  await worker.waitUntilReady();
  log.info({ roots: options.roots, concurrency: options.concurrency }, 'mapper ready');
  return {
    async check() {
      if (isEnding) throw ending();
    },
    async close() {
      isEnding = true;
      const deadline = setTimeout(() => {
        stopping.abort(ending());
      }, graceMs);
      await worker.close();
      client.disconnect();
      clearTimeout(deadline);
      results.close();
      log.info('mapper ended');
    },
  };
}

function ending(): Failure {
  return new Failure('service-unready', { service: 'mapper', state: 'about to end' });
}

interface JobContext {
  readonly results: ResultStream;
  readonly source: Source;
  readonly isAllowed: Fence;
  readonly meters: MapperMeters;
  readonly log: Logger;
  /** Aborted when there is no more time for the job: it is handed back. */
  readonly signal: AbortSignal;
}

async function processJob(job: Job, token: string, context: JobContext): Promise<PartMap | null> {
  const { results, source, meters, log, signal } = context;
  const end = meters.begin();
  const parsed = mapJobSchema.safeParse(job.data);
  if (!parsed.success) {
    const reason = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    const failure = new Failure('job-invalid', { queue: mapQueue, reason });
    log.error({ job: job.id, reason }, 'refused a job that does not fit its schema');
    end({ task: null, outcome: 'failed', code: failure.code });
    throw new UnrecoverableError(failure.message);
  }
  const { request, file, task } = parsed.data;
  const id = job.id ?? '';
  const started = performance.now();
  let outcome: JobEnd['outcome'] = 'done';
  const give = async (map: FileMap): Promise<void> => {
    await results.put(request, { job: id, map });
    const isMember = map.path !== file.path;
    meters.mapped(map, isMember);
    if (!isMember && map.status === 'failed') outcome = 'failed';
  };
  const options = optionsFor(job, parsed.data, context);
  const work = async (): Promise<PartMap | null> => {
    await assertAllowed(job, file, context);
    if (task.do === 'part') return mapStretch(source, file, task, options);
    if (task.do === 'map') await mapAny(source, file, task, give, options);
    else await mapJoined(source, file, Object.values(await job.getChildrenValues()), give, options);
    return null;
  };
  let part: PartMap | null = null;
  let code: ErrorCode | null = null;
  try {
    part = await unlessAborted(signal, work());
  } catch (thrown) {
    if (signal.aborted) {
      end({ task: task.do, outcome: 'handed-back', code: null });
      // No attempt is lost by it, and nobody waits for a lock to expire.
      await job.moveToWait(token);
      log.info({ job: id, request, path: file.path }, 'handed back');
      throw new WaitingError();
    }
    const failure = asFailure(thrown);
    const attemptsLeft = (job.opts.attempts ?? 1) - job.attemptsMade - 1;
    if (failure.retryable && attemptsLeft > 0) {
      end({ task: task.do, outcome: 'retried', code: failure.code });
      throw failure;
    }
    if (failure.code === 'internal') log.error({ job: id, err: thrown }, 'mapping failed');
    outcome = 'failed';
    // A part that is missing is read by who joins.
    if (task.do === 'part') code = failure.code;
    else await give(failedFile(file, failure));
  }
  end({ task: task.do, outcome, code });
  const ms = Math.round(performance.now() - started);
  log.info({ job: id, request, path: file.path, task: task.do, ms }, 'mapped');
  return part;
}

/** Does not wait for work that hears of the signal late: a read from a slow place, say. @throws the signal's reason */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** @throws Failure `file-outside-roots`, or what keeps the file from being found */
async function assertAllowed(job: Job, { path, within }: SourceFile, context: JobContext): Promise<void> {
  const place = within?.path ?? path;
  if (await context.isAllowed(place)) return;
  // A path that does not exist is reported as such, not as forbidden.
  await context.source.stat(place).catch((thrown: unknown) => {
    if (thrown instanceof Failure && thrown.code === 'file-missing') throw thrown;
  });
  context.log.warn({ job: job.id, path }, 'refused a path outside the roots');
  throw new Failure('file-outside-roots', { path });
}

/** Tells now and then how far the job is. */
function optionsFor(job: Job, { request, task }: MapJob, { results, signal }: JobContext): MapFileOptions {
  let reported = performance.now();
  return {
    signal,
    onProgress(consumed) {
      const now = performance.now();
      if (now - reported < PROGRESS_INTERVAL_MS) return;
      reported = now;
      // For the coordinator, and for who looks at the queue.
      const [of, part] = task.do === 'part' ? [job.parent?.id, task.from] : [job.id, 0];
      results.put(request, { job: of ?? '', part, consumed }).catch(() => undefined);
      job.updateProgress({ consumed }).catch(() => undefined);
    },
  };
}

/** Tells the coordinator of a job that the queue gives up; it cannot know otherwise. */
async function giveUp(
  job: Job,
  reason: string,
  { results, meters }: Pick<JobContext, 'results' | 'meters'>,
): Promise<void> {
  const id = job.id ?? '';
  const request = requestOfJob(id);
  if (request === null) return;
  const failure = reason.includes('stalled')
    ? new Failure('worker-crashed', { path: pathOf(job), times: 'several' })
    : new Failure('read-failed', { path: pathOf(job), reason });
  meters.givenUp(failure.code);
  await results.put(request, { job: id, givenUp: failure.toRecord() });
}

/** The data of a job may be anything. */
function pathOf(job: Job): string {
  const parsed = mapJobSchema.safeParse(job.data);
  return parsed.success ? parsed.data.file.path : 'a file';
}
