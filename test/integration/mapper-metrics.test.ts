// What a mapper tells Prometheus and Kubernetes: over a real Redis, of real processes.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PREFIX } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { lastFirst } from '../support/last-first.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { metricsUrl, named, probe, scrape, SERVED } from '../support/scrape.ts';
import { startCapfleet, startMapper } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

test('jobs, files, bytes, packets and failures are counted', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const folder = await tempDir(t);
  const captures = join(folder, 'in');
  await mkdir(captures);
  await writeNumberedSet(captures, { 'a.pcap': stamps(0, 5, 10), 'b.pcap': stamps(5, 7, 10) });
  await writeFile(join(captures, 'c.pcap'), 'this is no capture at all, and long enough to be one');
  const mapper = await startMapper(t, redis.url, SERVED);
  const url = await metricsUrl(mapper);
  const dump = join(folder, 'map.json');
  const map = startCapfleet(t, [
    ...['map', '--redis', redis.url, '--file-workers', '0'],
    ...['--dir-src', captures, '--file-suffix', 'pcap', '--dump-json', dump],
  ]);
  assert.equal((await map.ended).code, 3, map.output.stderr);
  const metrics = await waitFor('all jobs to have ended', async () => {
    const found = await scrape(url);
    return found.get('capfleet_mapper_job_seconds_count{task="map"}') === 3 ? found : null;
  });
  const bytes = metrics.get('capfleet_mapper_file_bytes_total') ?? 0;
  const seconds = 'capfleet_mapper_job_seconds_sum{task="map"}';
  assert.ok(bytes > 12 * 16, String(bytes));
  assert.ok((metrics.get(seconds) ?? 0) > 0);
  const read = metrics.get('capfleet_mapper_read_bytes_total{source="disk"}') ?? 0;
  assert.ok(read >= bytes, `${read} of ${bytes}`);
  assert.deepEqual(named(metrics, 'capfleet_mapper_'), {
    'capfleet_mapper_jobs_total{task="map",outcome="done"}': 2,
    'capfleet_mapper_jobs_total{task="map",outcome="failed"}': 1,
    capfleet_mapper_jobs_stalled_total: 0,
    'capfleet_mapper_failures_total{code="capture-unknown"}': 1,
    'capfleet_mapper_files_total{status="ok"}': 2,
    'capfleet_mapper_files_total{status="failed"}': 1,
    capfleet_mapper_file_bytes_total: bytes,
    'capfleet_mapper_read_bytes_total{source="disk"}': read,
    'capfleet_mapper_read_bytes_total{source="s3"}': 0,
    capfleet_mapper_packets_total: 12,
    capfleet_mapper_jobs_active: 0,
    [seconds]: metrics.get(seconds),
    'capfleet_mapper_job_seconds_count{task="map"}': 3,
  });
  assert.equal(metrics.get('capfleet_redis_up'), 1);
  assert.ok((metrics.get('capfleet_redis_round_trip_seconds') ?? 0) > 0);
});

test('a mapper without its Redis is alive, not ready, and says why; it recovers by itself', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const mapper = await startMapper(t, redis.url, SERVED);
  const url = await metricsUrl(mapper);
  const ready = [200, { ready: true, reasons: [] }];
  assert.deepEqual(await probe(url, '/livez'), [200, { alive: true }]);
  assert.deepEqual(await probe(url, '/readyz'), ready);
  assert.deepEqual(await probe(url, '/healthz'), ready);

  await redis.kill();
  for (const path of ['/readyz', '/healthz'] as const) {
    const [status, { reasons = [] }] = await probe(url, path);
    assert.equal(status, 503);
    assert.match(reasons.join(), /^cannot reach Redis at unix:/);
  }
  assert.deepEqual(await probe(url, '/livez'), [200, { alive: true }]);
  const without = await scrape(url);
  assert.equal(without.get('capfleet_redis_up'), 0);
  assert.equal(without.has('capfleet_redis_round_trip_seconds'), false);

  await redis.start();
  await waitFor('it to be ready again', async () => (await probe(url, '/readyz'))[0] === 200, {
    timeout: 10_000,
  });
});

test('a mapper whose Redis takes nothing is not ready, and says why, until it does', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const url = await metricsUrl(await startMapper(t, redis.url, SERVED));
  const client = connect(redis.url, 'test', silentLogger());
  t.after(async () => client.disconnect());
  await client.config('SET', 'maxmemory', '1');
  const [status, { reasons = [] }] = await probe(url, '/readyz');
  assert.equal(status, 503);
  assert.match(reasons.join(), /^Redis takes no more: OOM/);
  assert.equal((await scrape(url)).get('capfleet_redis_up'), 1);
  await client.config('SET', 'maxmemory', '0');
  assert.equal((await probe(url, '/readyz'))[0], 200);
  assert.equal(await client.exists(PREFIX), 0);
});

test('nothing is served unless asked for; an address that is taken is refused as by the coordinator', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const first = await startMapper(t, redis.url, SERVED);
  const { host } = new URL(await metricsUrl(first));
  const second = startCapfleet(t, ['mapper', '--redis', redis.url], {
    env: { ...process.env, CAPFLEET_METRICS_LISTEN: host },
  });
  const { code, stderr } = await second.ended;
  assert.equal(code, 1, stderr);
  assert.match(stderr, new RegExp(`cannot listen on ${host}: .*EADDRINUSE`));
  assert.match(stderr, /with --metrics-listen, as in --metrics-listen 127\.0\.0\.1:8470/);
  const silent = await startMapper(t, redis.url);
  assert.doesNotMatch(silent.output.stderr, /metrics served/);
});
