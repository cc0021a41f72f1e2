// Map jobs over BullMQ and a results stream in Redis.
import { Queue, QueueEvents, type JobsOptions } from 'bullmq';
import { mapQueue, mapResultsKey, PREFIX } from '@capfleet/shared/contract/keys';
import {
  MAP_ATTEMPTS,
  MAP_BACKOFF_MS,
  MAP_JOB_VERSION,
  mapJobId,
  type MapJob,
} from '@capfleet/shared/contract/map-job';
import { failedFile, fileMapSchema, type FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect, optionsOf } from '@capfleet/shared/redis/connect';
import { parseEntry, readStream } from '@capfleet/shared/redis/stream';
import type { SourceFile } from '@capfleet/shared/source/source';
import type { MapJobs } from '../ports/map-jobs.ts';

const TAKE_MS = 500;
const REMOVE_AT_ONCE = 100;

export async function bullmqMapJobs(redis: string, request: string, log: Logger): Promise<MapJobs> {
  const connection = optionsOf(redis);
  const queue = new Queue<MapJob>(mapQueue, { connection, prefix: PREFIX });
  const events = new QueueEvents(mapQueue, { connection, prefix: PREFIX });
  const client = connect(redis, 'map-results', log);
  const onError = (error: Error): void => {
    log.warn({ reason: error.message }, 'map queue');
  };
  queue.on('error', onError);
  events.on('error', onError);

  /** Files that were added and have no result yet, by job id. */
  const open = new Map<string, SourceFile>();
  const given: FileMap[] = [];
  let position = '0';

  events.on('failed', ({ jobId, failedReason }) => {
    const file = open.get(jobId);
    if (!file) return;
    log.warn({ job: jobId, reason: failedReason }, 'the queue gave a job up');
    open.delete(jobId);
    given.push(abandoned(file, failedReason));
  });
  await events.waitUntilReady();

  async function add(files: readonly SourceFile[]): Promise<void> {
    const jobs = files.map((file) => {
      const jobId = mapJobId(request, file.path);
      open.set(jobId, file);
      const data: MapJob = { v: MAP_JOB_VERSION, request, file };
      return { name: 'map', data, opts: { ...jobOptions, jobId } };
    });
    if (jobs.length > 0) await queue.addBulk(jobs);
  }

  return {
    add,

    async restoreLost() {
      const left = await queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized');
      if (left > 0 || open.size === 0) return;
      log.warn({ files: open.size }, 'the queue lost jobs; adding them again');
      await add([...open.values()]);
    },

    async take() {
      const entries = await readStream(client, mapResultsKey(request), position, TAKE_MS);
      const maps = given.splice(0);
      for (const { id, fields } of entries) {
        position = id;
        const parsed = fileMapSchema.safeParse(parseEntry(fields['map']));
        if (parsed.success) {
          // Only what was asked for counts, and once.
          if (open.delete(mapJobId(request, parsed.data.path))) maps.push(parsed.data);
        } else
          log.error(
            { id, issues: parsed.error.issues.length },
            'passed over a result that does not fit its schema',
          );
      }
      return maps;
    },

    onProgress(listener) {
      events.on('progress', ({ jobId, data }) => {
        const file = open.get(jobId);
        if (file && typeof data === 'object' && 'consumed' in data && typeof data.consumed === 'number') {
          listener(file.path, data.consumed);
        }
      });
    },

    countWorkers: () => queue.getWorkersCount(),

    async close() {
      const left = [...open.keys()];
      for (let start = 0; start < left.length; start += REMOVE_AT_ONCE) {
        // A job that a mapper has begun is locked and stays; its result goes to a stream that nobody reads.
        await Promise.all(
          left.slice(start, start + REMOVE_AT_ONCE).map((id) => queue.remove(id).catch(() => 0)),
        );
      }
      await client.del(mapResultsKey(request));
      await events.close();
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

function abandoned(file: SourceFile, reason: string): FileMap {
  return failedFile(
    file,
    reason.includes('stalled')
      ? new Failure('worker-crashed', { path: file.path, times: 'several' })
      : new Failure('read-failed', { path: file.path, reason }),
  );
}
