/**
 * The map queue of a test's Redis as it looks from outside: what waits, what a mapper has taken, how far it is. It
 * reads BullMQ's keys and changes nothing, except where a test plays somebody who writes to the queue by hand.
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import { mapJobId } from '@capfleet/shared/contract/map-job';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import type { SourceFile } from '@capfleet/shared/source/source';
import type { AfterHook } from './temp-dir.ts';

const key = (name: string): string => `${PREFIX}:${mapQueue}:${name}`;

export interface MapQueueView {
  /** Jobs that no mapper has taken yet, and those that one has. */
  waiting(): Promise<number>;
  active(): Promise<number>;
  /** Jobs in any state. */
  jobs(): Promise<string[]>;
  /** True when a mapper has reported how much it has read of some file, in the middle of it. */
  inTheMiddle(): Promise<boolean>;
  /** How often the job was begun; null when it is not there (any more). */
  attempts(job: string): Promise<number | null>;
  /** Puts other data into a job. */
  replaceData(job: string, data: string): Promise<void>;
}

export function viewMapQueue(t: AfterHook, redis: string): MapQueueView {
  const client = connect(redis, 'test', silentLogger());
  t.after(async () => {
    client.disconnect();
  });
  const jobs = async (): Promise<string[]> => {
    const prefix = key('');
    const names = (await client.keys(`${prefix}*.*`)).map((name) => name.slice(prefix.length));
    return names.filter((name) => /^[\w-]+\.[0-9a-f]{32}$/.test(name)).sort();
  };
  return {
    waiting: () => client.llen(key('wait')),
    active: () => client.llen(key('active')),
    jobs,
    async inTheMiddle() {
      for (const job of await jobs()) {
        const progress = (await client.hget(key(job), 'progress')) ?? '';
        if (progress.includes('consumed')) return true;
      }
      return false;
    },
    async attempts(job) {
      const begun = await client.hget(key(job), 'ats');
      if (begun !== null) return Number(begun);
      return (await client.exists(key(job))) === 1 ? 0 : null;
    },
    async replaceData(job, data) {
      await client.hset(key(job), 'data', data);
    },
  };
}

/** A file as a listing gives it, and the id of its job. */
export async function listed(path: string, request: string): Promise<{ file: SourceFile; job: string }> {
  const facts = await stat(path, { bigint: true });
  const file = { path, name: basename(path), size: Number(facts.size), version: String(facts.mtimeNs) };
  return { file, job: mapJobId(request, path) };
}
