// A replayer whose interface goes down, in a network namespace of the test's own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { lastFirst } from '../support/last-first.ts';
import { startRedis } from '../support/redis-server.ts';
import { metricsUrl, probe, scrape, SERVED } from '../support/scrape.ts';
import { startReplayer } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = await enterNamespaces(import.meta);
const ip = (...args: string[]): Promise<unknown> => promisify(execFile)('ip', args);
const UP = 'capfleet_replayer_interface_up{interface="out0"}';

test('is alive, not ready, and ready again once it is up', { skip }, async (context) => {
  const t = lastFirst(context);
  await ip('link', 'add', 'out0', 'type', 'veth', 'peer', 'name', 'far0');
  for (const end of ['out0', 'far0']) await ip('link', 'set', end, 'up');
  const redis = await startRedis(t);
  const agent = await startReplayer(t, redis.url, 'one', ['--interface', 'out0', ...SERVED]);
  const url = await metricsUrl(agent);
  const ready = (wanted: boolean): Promise<unknown> =>
    waitFor(`/readyz to say ${String(wanted)}`, async () => {
      const [status, { reasons = [] }] = await probe(url, '/readyz');
      if (status === 200) return wanted;
      assert.equal(status, 503);
      return !wanted && reasons.some((reason) => reason.includes('out0')) && reasons;
    });
  await ready(true);
  await ip('link', 'set', 'out0', 'down');
  await ready(false);
  assert.equal((await scrape(url, 'one')).get(UP), 0);
  assert.equal((await probe(url, '/livez'))[0], 200);
  await ip('link', 'set', 'out0', 'up');
  await ready(true);
  assert.equal((await scrape(url, 'one')).get(UP), 1);
});
