// A source far larger than what may be under way: listing waits for the mappers, and the queue stays small.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import { openJournal } from '@capfleet/coordinator/adapters/journal-file';
import { mapDataSet } from '@capfleet/coordinator/usecases/map-data-set';
import { mapResultsKey } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { disk } from '@capfleet/shared/source/disk';
import type { Source } from '@capfleet/shared/source/source';
import { lastFirst } from '../support/last-first.ts';
import { viewMapQueue } from '../support/map-queue.ts';
import { startRedis } from '../support/redis-server.ts';
import { startMapper } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const FILES = 9000;
/** What may be under way, and one batch in the hands of who lists. */
const MOST = 4500;

test('a listing waits where too many files are under way, and goes on when they are mapped', async (t) => {
  const after = lastFirst(t);
  const { url } = await startRedis(after);
  const dir = await tempDir(after);
  const queue = viewMapQueue(after, url);
  let listed = 0;
  const endless: Source = {
    ...disk,
    async *list() {
      for (; listed < FILES; listed += 1) {
        const name = `gone-${String(listed).padStart(6, '0')}.pcap`;
        yield { path: join(dir, name), name, size: 100, version: '1' };
      }
    },
  };
  const journal = await openJournal({ path: join(dir, 'journal'), mapping: 'm', seed: null });
  after.after(() => journal.remove());
  const jobs = bullmqMapJobs(
    url,
    { request: journal.request, quick: false, splitSize: null },
    silentLogger(),
  );
  const mapping = mapDataSet(endless, jobs, journal, {
    source: dir,
    filter: { suffix: '', pattern: null },
    quick: false,
    workerTimeoutMs: 60_000,
    redis: url,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  await waitFor('the queue is as full as it may be', async () => (await queue.waiting()) >= MOST - 1000, {
    timeout: 30_000,
  });
  // Long enough for a listing that does not wait to be over.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.ok((await queue.waiting()) <= MOST, `${await queue.waiting()} wait`);
  assert.ok(listed <= MOST, `${listed} listed`);
  await startMapper(after, url, ['--root', dir]);
  const set = await mapping;
  assert.equal(set.rows.failed.length, FILES);
  assert.deepEqual(await queue.jobs(), []);
  const client = connect(url, 'test', silentLogger());
  assert.equal(await client.exists(mapResultsKey(journal.request)), 0, 'and Redis holds nothing of it');
  client.disconnect();
});
