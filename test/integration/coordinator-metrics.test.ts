// What Prometheus gets from a coordinator: over a real Redis with jobs, an agent and a run in it, and without it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { coordinatorClient } from '@capfleet/cli/coordinator-client';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import type { Registration } from '@capfleet/shared/contract/agent-messages';
import { PREFIX, runsKey, sensorKey } from '@capfleet/shared/contract/keys';
import { planDocument } from '@capfleet/shared/dataset/plan-file';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { sending, startApi } from '../support/coordinator-api.ts';
import { lastFirst } from '../support/last-first.ts';
import { goodClock, sensorPlan } from '../support/play-results.ts';
import { startRedis } from '../support/redis-server.ts';
import { probe, scrape } from '../support/scrape.ts';
import { startCoordinator, startReplayer, TOKEN } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

test('the queue, sensors, runs, Redis and requests are counted, and what is gone is not', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const api = await startApi(t, redis.url);
  const jobs = bullmqMapJobs(redis.url, { request: 'r', quick: false, splitSize: null }, silentLogger());
  t.after(() => jobs.close(true));
  await jobs.add([{ path: '/nowhere/a.pcap', name: 'a.pcap', size: 1, version: '1' }]);
  await startReplayer(t, redis.url, 'one');
  const plan = planDocument([sensorPlan('one')], 'map.json');
  assert.equal((await api.ask('/v1/runs', sending('POST', { plan }))).status, 201);
  assert.equal((await api.ask('/v1/runs/nothing')).status, 404);

  // Another one, that is busy, so that its clock is measured.
  const client = connect(redis.url, 'test', silentLogger());
  t.after(async () => client.disconnect());
  const registration = JSON.parse((await client.get(sensorKey('one'))) ?? '') as Registration;
  const busy = { ...registration, sensor: 'two', busyWith: 'run', clock: goodClock, up: false };
  await client.set(sensorKey('two'), JSON.stringify(busy));

  // Several at the same time count everything once.
  const [metrics] = await Promise.all([scrape(api.url), scrape(api.url), scrape(api.url)]);
  const values = [
    'capfleet_redis_up',
    'capfleet_map_jobs{state="waiting"}',
    'capfleet_sensors',
    'capfleet_sensor_busy{sensor="one"}',
    'capfleet_sensor_busy{sensor="two"}',
    'capfleet_sensor_interface_up{sensor="one"}',
    'capfleet_sensor_interface_up{sensor="two"}',
    'capfleet_sensor_clock_bound_seconds{sensor="one"}',
    'capfleet_sensor_clock_bound_seconds{sensor="two"}',
    'capfleet_runs{state="orphaned"}',
    'capfleet_run_start_skew_seconds',
    'capfleet_run_start_skew_bound_seconds',
    'capfleet_http_request_seconds_count{method="POST",route="/v1/runs",status="201"}',
    'capfleet_http_request_seconds_count{method="GET",route="/v1/runs/:run",status="404"}',
  ].map((name) => [name, metrics.get(name)]);
  assert.deepEqual(
    values.map(([, value]) => value),
    [1, 1, 2, 0, 1, 1, 0, undefined, 0.00005, 1, 0.5, 0.25, 1, 1],
    JSON.stringify(values),
  );
  assert.ok((metrics.get('capfleet_redis_round_trip_seconds') ?? 0) > 0);
  assert.ok((metrics.get('capfleet_process_resident_memory_bytes') ?? 0) > 1e6);

  // What somebody else put there hides nothing but itself.
  for (const key of [`${PREFIX}:map:wait`, runsKey]) {
    await client.rename(key, `${PREFIX}:kept`);
    await client.set(key, 'x');
    const others = await scrape(api.url);
    assert.equal(others.get('capfleet_sensors'), 2);
    assert.equal(others.has('capfleet_runs{state="orphaned"}'), key !== runsKey);
    assert.equal(others.has('capfleet_map_jobs{state="waiting"}'), key === runsKey);
    const listed = await api.ask('/v1/runs');
    assert.deepEqual([listed.status, listed.code], key === runsKey ? [500, 'redis-foreign'] : [200, '']);
    await client.rename(`${PREFIX}:kept`, key);
  }

  assert.deepEqual(await probe(api.url, '/livez'), [200, { alive: true }]);
  assert.deepEqual(await probe(api.url, '/readyz'), [200, { ready: true, reasons: [] }]);

  await redis.kill();
  assert.deepEqual(await probe(api.url, '/livez'), [200, { alive: true }]);
  const [status, { reasons }] = await probe(api.url, '/readyz');
  assert.equal(status, 503);
  assert.match(reasons?.join() ?? '', /^cannot reach Redis at unix:.*: no answer within/);
  const queues = await fetch(`${api.url}/queues/`, { headers: { accept: 'text/html' }, redirect: 'manual' });
  assert.equal(queues.status, 503);
  const without = await scrape(api.url);
  assert.equal(without.get('capfleet_redis_up'), 0);
  assert.deepEqual(
    [...without.keys()].filter((name) => /capfleet_(sensor|runs|map_jobs|redis_round)/.test(name)),
    [],
  );
  await redis.start();
});

test('what is asked of S3 to list a source is counted, and what is refused', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const s3 = createServer((_request, response) => {
    response
      .writeHead(403, { 'content-type': 'application/xml' })
      .end('<Error><Code>AccessDenied</Code></Error>');
  }).listen(0, '127.0.0.1');
  await once(s3, 'listening');
  t.after(async () => void s3.close());
  const endpoint = `http://127.0.0.1:${String((s3.address() as AddressInfo).port)}`;
  const { url } = await startCoordinator(t, redis.url, {
    args: ['--s3-endpoint', endpoint, '--s3-path-style'],
    env: { AWS_ACCESS_KEY_ID: 'KEY', AWS_SECRET_ACCESS_KEY: 'of-the-test' },
  });
  await coordinatorClient(url, TOKEN).createMap({ source: 's3://bucket/set', suffix: '', set: 'lab' });
  await waitFor('a refusal to be counted', async () => {
    const metrics = await scrape(url);
    const of = (name: string): number =>
      [...metrics].reduce((sum, [key, value]) => sum + (key.startsWith(name) ? value : 0), 0);
    return of('capfleet_s3_requests_total{') > 0 && of('capfleet_s3_errors_total{') > 0;
  });
});
