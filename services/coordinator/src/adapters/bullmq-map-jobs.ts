// Map jobs over BullMQ and a results stream in Redis.
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowProducer, Queue, type JobsOptions } from 'bullmq';
import { mapQueue, mapResultsKey, PREFIX } from '@capfleet/shared/contract/keys';
import {
  MAP_ATTEMPTS,
  MAP_BACKOFF_MS,
  MAP_JOB_VERSION,
  mapAnswerSchema,
  mapJobId,
  type MapAnswer,
  type MapJob,
  type MapTask,
} from '@capfleet/shared/contract/map-job';
import { failedFile, failedWith } from '@capfleet/shared/dataset/file-map';
import { planParts, type Part } from '@capfleet/shared/contract/part-map';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, readStream } from '@capfleet/shared/redis/stream';
import type { SourceFile } from '@capfleet/shared/source/source';
import type { MapJobs, MapResult } from '../ports/map-jobs.ts';

/** Of one file; each is a job. */
const MOST_PARTS = 1000;
const TAKE_MS = 500;
/** Results of small files come by the thousand a second: a short wait lets them be taken together. */
const GATHER_MS = 20;
const REMOVE_AT_ONCE = 100;
const MOST_EARLY = 10_000;

export interface MapJobsOptions {
  /** Names the request in the queue. */
  readonly request: string;
  readonly quick: boolean;
  /** Files above this are mapped in parts of about that size, where they can be; bytes, null is never. */
  readonly splitSize: number | null;
}

export function bullmqMapJobs(redis: string, options: MapJobsOptions, log: Logger): MapJobs {
  const { request, quick, splitSize } = options;
  const results = mapResultsKey(request);
  const connection = connect(redis, 'map-jobs', log);
  const queue = new Queue<MapJob>(mapQueue, { connection, prefix: PREFIX });
  const flows = new FlowProducer({ connection, prefix: PREFIX });
  const onError = (error: Error): void => {
    log.warn({ reason: error.message }, 'map queue');
  };
  queue.on('error', onError);
  flows.on('error', onError);
  const client = connect(redis, 'map-results', log);

  /** Files that were added and have no result yet, by job id. */
  const open = new Map<string, SourceFile>();
  let openJobs = 0;
  /** Answers that came before their file was listed: of jobs that an earlier coordinator of the request enqueued. */
  const early = new Map<string, MapAnswer[]>();
  let position = '0';
  let onProgress: (path: string, part: number, consumed: number) => void = () => undefined;

  const isLarge = ({ size }: SourceFile): boolean => splitSize !== null && !quick && size > splitSize;
  const partsOf = (file: SourceFile): Part[] =>
    planParts(file.size, Math.max(splitSize ?? file.size, Math.ceil(file.size / MOST_PARTS)));
  const jobsOf = (file: SourceFile): number => (isLarge(file) ? partsOf(file).length + 1 : 1);

  const dataOf = (file: SourceFile, task: MapTask): MapJob => ({ v: MAP_JOB_VERSION, request, file, task });

  async function add(files: readonly SourceFile[]): Promise<void> {
    for (const file of files) {
      const id = mapJobId(request, file.path);
      if (!open.has(id)) openJobs += jobsOf(file);
      open.set(id, file);
    }
    const unanswered = files.filter(({ path }) => !early.has(mapJobId(request, path)));
    const jobs = unanswered
      .filter((file) => !isLarge(file))
      .map((file) => {
        const jobId = mapJobId(request, file.path);
        return { name: 'map', data: dataOf(file, { do: 'map', quick }), opts: { ...jobOptions, jobId } };
      });
    if (jobs.length > 0) await queue.addBulk(jobs);
    for (const file of unanswered.filter(isLarge)) await addInParts(file);
  }

  /** One job per part, and above them the one that joins; a part that fails is left to that one. */
  async function addInParts(file: SourceFile): Promise<void> {
    const jobId = mapJobId(request, file.path);
    await flows.add({
      name: 'join',
      queueName: mapQueue,
      data: dataOf(file, { do: 'join' }),
      opts: { ...jobOptions, jobId },
      children: partsOf(file).map((part, index) => ({
        name: 'part',
        queueName: mapQueue,
        data: dataOf(file, { do: 'part', ...part }),
        opts: { ...jobOptions, jobId: `${jobId}.${String(index)}`, ignoreDependencyOnFailure: true },
      })),
    });
  }

  function end(job: string, file: SourceFile): void {
    open.delete(job);
    openJobs -= jobsOf(file);
  }

  /** Only what was asked for counts. */
  function resultOf(entry: unknown, onStrange: (reason: string) => void): MapResult | null {
    const parsed = mapAnswerSchema.safeParse(entry);
    if (parsed.success) return resultOfAnswer(parsed.data);
    const [issue] = parsed.error.issues;
    const reason = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
    onStrange(reason);
    const { job } = Object(entry) as { readonly job?: unknown };
    const asked = typeof job === 'string' ? open.get(job) : undefined;
    if (asked === undefined || typeof job !== 'string') return null;
    // Adding it again would bring the same again.
    end(job, asked);
    return { asked, map: failedFile(asked, new Failure('result-invalid', { path: asked.path, reason })) };
  }

  function resultOfAnswer(answer: MapAnswer): MapResult | null {
    const asked = open.get(answer.job);
    if (!asked) {
      if (!('consumed' in answer)) park(answer);
      return null;
    }
    if ('consumed' in answer) {
      onProgress(asked.path, answer.part, answer.consumed);
      return null;
    }
    if ('givenUp' in answer) {
      log.warn({ job: answer.job, reason: answer.givenUp.message }, 'the queue gave a job up');
      end(answer.job, asked);
      return { asked, map: failedWith(asked, answer.givenUp) };
    }
    if (answer.map.path === asked.path) end(answer.job, asked);
    return { asked, map: answer.map };
  }

  function park(answer: MapAnswer): void {
    const parked = early.get(answer.job);
    if (parked) parked.push(answer);
    // Repeated answers of files that are done pile up here, so there is a bound; a file beyond it is mapped again.
    else if (early.size < MOST_EARLY) early.set(answer.job, [answer]);
  }

  /** What was parked for files that are open by now. */
  function takeEarly(): MapResult[] {
    const taken: MapResult[] = [];
    for (const [job, answers] of early) {
      if (!open.has(job)) continue;
      early.delete(job);
      for (const answer of answers) {
        const result = resultOfAnswer(answer);
        if (result) taken.push(result);
      }
    }
    return taken;
  }

  return {
    add,

    get open() {
      return openJobs;
    },

    jobsOf,

    async take() {
      // What was taken before is in the journal by now.
      if (position !== '0') await client.xtrim(results, 'MINID', '~', position);
      await sleep(GATHER_MS);
      const entries = await readStream(client, results, position, TAKE_MS);
      const taken = takeEarly();
      const strange: { id: string; reason: string }[] = [];
      for (const { id, fields } of entries) {
        position = id;
        const result = resultOf(parseEntry(fields['answer']), (reason) => strange.push({ id, reason }));
        if (result) taken.push(result);
      }
      // In one line, however many a stranger wrote.
      if (strange[0])
        log.error({ ...strange[0], results: strange.length }, 'results do not fit their schema');
      return taken;
    },

    async restoreLost() {
      const left = await queue.getJobCountByTypes(...unfinished);
      if (left > 0 || open.size === 0) return;
      log.warn({ files: open.size }, 'the queue lost jobs; adding them again');
      await add([...open.values()]);
    },

    onProgress(listener) {
      onProgress = listener;
    },

    async countWorkers() {
      try {
        return await queue.getWorkersCount();
      } catch (error) {
        // All servers of a cluster are asked, also one that is just away.
        if (!connection.isCluster || reasonOf(error) !== 'Connection is closed.') throw error;
        return 0;
      }
    },

    async close(keep) {
      if (!keep) {
        const left = [...open.keys()];
        for (let start = 0; start < left.length; start += REMOVE_AT_ONCE) {
          // A job that a mapper has begun is locked and stays; its result goes to a stream that nobody reads.
          await Promise.all(
            left.slice(start, start + REMOVE_AT_ONCE).map((id) => queue.remove(id).catch(() => 0)),
          );
        }
        await client.del(results);
      }
      await flows.close();
      await queue.close();
      connection.disconnect();
      client.disconnect();
    },
  };
}

const unfinished = ['waiting', 'active', 'delayed', 'prioritized', 'waiting-children'] as const;

const jobOptions: JobsOptions = {
  attempts: MAP_ATTEMPTS,
  backoff: { type: 'exponential', delay: MAP_BACKOFF_MS, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: true,
};
