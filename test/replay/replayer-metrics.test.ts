// What a replayer tells Prometheus and Kubernetes: over a real Redis, of real processes.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { metricsUrl, named, probe, scrape, SERVED } from '../support/scrape.ts';
import { startCapfleet, startReplayer } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const INTO_NOTHING = ['--interface', 'null'];

test('packets, lateness, the ring, the clock and the start of plays are told', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const folder = await tempDir(t);
  const captures = join(folder, 'in');
  await mkdir(captures);
  await writeNumberedSet(captures, { 'a.pcap': stamps(0, 100, 10), 'b.pcap': stamps(1000, 100, 10) });
  const dump = join(folder, 'map.json');
  const source = ['--dir-src', captures, '--file-suffix', 'pcap', '--dump-json', dump];
  const map = await startCapfleet(t, ['map', ...source]).ended;
  assert.equal(map.code, 0, map.stderr);
  const agent = await startReplayer(t, redis.url, 'one', [...INTO_NOTHING, ...SERVED]);
  const url = await metricsUrl(agent);
  assert.equal((await scrape(url, 'one')).get('capfleet_replayer_packets_sent_total'), 0);

  const replay = ['replay', '--redis', redis.url, '--dump-json', dump, '--sensors', 'one', '--lead', '500ms'];
  const first = startCapfleet(t, [...replay, '--loop-count', '2']);
  // In the middle of it.
  const during = await waitFor('packets on their way', async () => {
    const found = await scrape(url, 'one');
    assert.ok(first.isRunning(), first.output.stderr);
    return (found.get('capfleet_replayer_packets_sent_total') ?? 0) > 0 ? found : null;
  });
  assert.equal(during.get('capfleet_replayer_busy'), 1);
  assert.ok((during.get('capfleet_replayer_ring_size_bytes') ?? 0) > 0);
  assert.ok((during.get('capfleet_replayer_ring_filled_bytes') ?? -1) >= 0);
  assert.equal((await first.ended).code, 0, first.output.stderr);
  const second = startCapfleet(t, replay);
  assert.equal((await second.ended).code, 0, second.output.stderr);

  const after = await scrape(url, 'one');
  const expected = {
    capfleet_replayer_packets_sent_total: 600,
    'capfleet_replayer_packets_refused_total{cause="late"}': 0,
    'capfleet_replayer_runs_total{outcome="done"}': 2,
    'capfleet_replayer_lateness_seconds_bucket{le="+Inf"}': 600,
    capfleet_replayer_lateness_seconds_count: 600,
    capfleet_replayer_busy: 0,
    'capfleet_replayer_interface_up{interface="null"}': 1,
    capfleet_redis_up: 1,
  };
  assert.deepEqual(
    Object.fromEntries(Object.keys(expected).map((name) => [name, after.get(name)])),
    expected,
    JSON.stringify(named(after, 'capfleet_replayer_')),
  );
  const buckets = [...after].filter(([name]) => name.startsWith('capfleet_replayer_lateness_seconds_bucket'));
  assert.ok(
    buckets.every(([, value], i) => i === 0 || value >= buckets[i - 1]![1]),
    String(buckets),
  );
  for (const name of [
    'bytes_sent_total',
    'lateness_seconds_sum',
    'clock_bound_seconds',
    'start_error_seconds',
    'registered_seconds',
  ])
    assert.ok((after.get(`capfleet_replayer_${name}`) ?? 0) > 0, name);
  // One host.
  assert.ok(Math.abs(after.get('capfleet_replayer_clock_offset_seconds') ?? 1) < 0.1);
  assert.equal(after.has('capfleet_replayer_ring_filled_bytes'), false, 'no play, no ring');
});

test('a replayer without its Redis is alive, not ready, and says why; it recovers by itself', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t);
  const agent = await startReplayer(t, redis.url, 'one', [...INTO_NOTHING, ...SERVED]);
  const url = await metricsUrl(agent);
  assert.deepEqual(await probe(url, '/livez'), [200, { alive: true }]);
  assert.deepEqual(await probe(url, '/readyz'), [200, { ready: true, reasons: [] }]);
  await redis.kill();
  await waitFor('both reasons', async () => {
    const [status, { reasons = [] }] = await probe(url, '/readyz');
    assert.equal(status, 503);
    assert.match(reasons.join(), /^cannot reach Redis at unix:/);
    return reasons[1] === 'the replayer is not registered at Redis';
  });
  assert.deepEqual(await probe(url, '/livez'), [200, { alive: true }]);
  assert.equal((await scrape(url, 'one')).get('capfleet_redis_up'), 0);
  await redis.start();
  await waitFor('it to be ready again', async () => (await probe(url, '/readyz'))[0] === 200);
});
