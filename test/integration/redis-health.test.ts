// Whether Redis answers, asked by a process that is busy itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@capfleet/shared/log/logger';
import { redisHealth } from '@capfleet/shared/redis/health';
import { startRedis } from '../support/redis-server.ts';

test('a Redis that answered while this process was busy for longer than the patience is well', async (t) => {
  const redis = await startRedis(t);
  const health = redisHealth(redis.url, 'test', silentLogger());
  t.after(() => health.close());
  await health.check();
  const checked = health.check();
  // The question is on its way first.
  await new Promise((resolve) => setImmediate(resolve));
  const until = performance.now() + 1500;
  while (performance.now() < until);
  await checked;
  await redis.stop();
  await assert.rejects(health.check(), { code: 'redis-unreachable' });
});
