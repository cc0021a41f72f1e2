// Map jobs over BullMQ and a results stream in Redis.
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, type JobsOptions } from 'bullmq';
import { mapQueue, mapResultsKey, PREFIX } from '@capfleet/shared/contract/keys';
import {
  MAP_ATTEMPTS,
  MAP_BACKOFF_MS,
  MAP_JOB_VERSION,
  mapAnswerSchema,
  mapJobId,
  type MapJob,
} from '@capfleet/shared/contract/map-job';
import { failedWith } from '@capfleet/shared/dataset/file-map';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect, optionsOf } from '@capfleet/shared/redis/connect';
import { parseEntry, readStream } from '@capfleet/shared/redis/stream';
import type { SourceFile } from '@capfleet/shared/source/source';
import type { MapJobs, MapResult } from '../ports/map-jobs.ts';

const TAKE_MS = 500;
/** Results of small files come by the thousand a second: a short wait lets them be taken together. */
const GATHER_MS = 20;
const REMOVE_AT_ONCE = 100;

export interface MapJobsOptions {
  /** Names the request in the queue. */
  readonly request: string;
  readonly quick: boolean;
}

export function bullmqMapJobs(redis: string, options: MapJobsOptions, log: Logger): MapJobs {
  const { request, quick } = options;
  const results = mapResultsKey(request);
  const queue = new Queue<MapJob>(mapQueue, { connection: optionsOf(redis), prefix: PREFIX });
  queue.on('error', (error) => {
    log.warn({ reason: error.message }, 'map queue');
  });
  const client = connect(redis, 'map-results', log);

  /** Files that were added and have no result yet, by job id. */
  const open = new Map<string, SourceFile>();
  let position = '0';
  let onProgress: (path: string, consumed: number) => void = () => undefined;

  async function add(files: readonly SourceFile[]): Promise<void> {
    const jobs = files.map((file) => {
      const jobId = mapJobId(request, file.path);
      open.set(jobId, file);
      const data: MapJob = { v: MAP_JOB_VERSION, request, file, quick };
      return { name: 'map', data, opts: { ...jobOptions, jobId } };
    });
    if (jobs.length > 0) await queue.addBulk(jobs);
  }

  /** Only what was asked for counts. */
  function resultOf(entry: unknown, id: string): MapResult | null {
    const parsed = mapAnswerSchema.safeParse(entry);
    if (!parsed.success) {
      const issues = parsed.error.issues.length;
      log.error({ id, issues }, 'passed over a result that does not fit its schema');
      return null;
    }
    const answer = parsed.data;
    const asked = open.get(answer.job);
    if (!asked) return null;
    if ('consumed' in answer) {
      onProgress(asked.path, answer.consumed);
      return null;
    }
    if ('givenUp' in answer) {
      log.warn({ job: answer.job, reason: answer.givenUp.message }, 'the queue gave a job up');
      open.delete(answer.job);
      return { asked, map: failedWith(asked, answer.givenUp) };
    }
    if (answer.map.path === asked.path) open.delete(answer.job);
    return { asked, map: answer.map };
  }

  return {
    add,

    get open() {
      return open.size;
    },

    async take() {
      // What was taken before is in the journal by now.
      if (position !== '0') await client.xtrim(results, 'MINID', '~', position);
      await sleep(GATHER_MS);
      const entries = await readStream(client, results, position, TAKE_MS);
      const taken: MapResult[] = [];
      for (const { id, fields } of entries) {
        position = id;
        const result = resultOf(parseEntry(fields['answer']), id);
        if (result) taken.push(result);
      }
      return taken;
    },

    async restoreLost() {
      const left = await queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized');
      if (left > 0 || open.size === 0) return;
      log.warn({ files: open.size }, 'the queue lost jobs; adding them again');
      await add([...open.values()]);
    },

    onProgress(listener) {
      onProgress = listener;
    },

    countWorkers: () => queue.getWorkersCount(),

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
      await queue.close();
      client.disconnect();
    },
  };
}

const jobOptions: JobsOptions = {
  attempts: MAP_ATTEMPTS,
  backoff: { type: 'exponential', delay: MAP_BACKOFF_MS, jitter: 0.5 },
  removeOnComplete: true,
  removeOnFail: true,
};
