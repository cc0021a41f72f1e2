// Services that are started before their Redis, as a cluster does it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import { makeMappedSet, playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { startRedis } from '../support/redis-server.ts';
import { metricsUrl, probe, SERVED } from '../support/scrape.ts';
import { startCapfleet, TOKEN } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

test('wait for it, not ready, and do their work once it is there', async (context) => {
  const t = lastFirst(context);
  const place = await makeMappedSet(t, { 'a.pcap': [0, 10, 20] });
  const redis = await startRedis(t);
  await redis.stop();
  const over = ['--redis', redis.url];
  const env = { ...process.env, CAPFLEET_TOKEN: TOKEN };
  const coordinator = startCapfleet(t, ['coordinator', ...over, '--listen', '127.0.0.1:0'], { env });
  const mapper = startCapfleet(t, ['mapper', ...over, ...SERVED]);
  const agent = ['replayer', ...over, ...SERVED, '--sensor', 'one', '--interface', 'null'];
  const replayer = startCapfleet(t, agent);
  await coordinator.says('coordinator ready');
  const [, api = ''] = /"address":"([^"]+)"/.exec(coordinator.output.stderr) ?? [];
  const urls = [api, ...(await Promise.all([mapper, replayer].map(metricsUrl)))];
  for (const url of urls) {
    const [status, { reasons = [] }] = await probe(url, '/readyz');
    assert.equal(status, 503);
    assert.match(reasons.join(), /cannot reach Redis at unix:/);
    assert.equal((await probe(url, '/livez'))[0], 200);
  }

  await redis.start();
  for (const url of urls)
    await waitFor(`${url} to be ready`, async () => (await probe(url, '/readyz'))[0] === 200);
  const shared = [...over, '--dump-json', place.dump];
  const map = ['map', ...shared, '--source', place.captures, '--file-suffix', 'pcap', '--fresh'];
  const mapped = await startCapfleet(t, map).ended;
  assert.equal(mapped.code, 0, mapped.stderr);
  const replay = ['replay', ...shared, '--sensors', 'one', '--json', ...SHORT_LEAD];
  assert.equal(playedReport(await startCapfleet(t, replay).ended).totals.sent, 3);
  const runs = await fetch(`${api}/v1/runs`, { headers: { authorization: `Bearer ${TOKEN}` } });
  assert.equal(runs.status, 200);
});
