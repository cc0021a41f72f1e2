// A run of more sensors than a test could start processes for: real agents and a real coordinator over a real Redis,
// in one process; only their plays and clocks are simulated.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { silentLogger } from '@capfleet/shared/log/logger';
import { lastFirst } from '../support/last-first.ts';
import { startRedis } from '../support/redis-server.ts';
import { barrierOf, simulatedRun, startSimulatedAgents } from '../support/simulated-agents.ts';

const SENSORS = Array.from({ length: 30 }, (_, index) => `sensor-${index}`);
const PLAY_MS = 1500;
/** Well above what it takes; a barrier that waited for a look at something once a second would often be above it. */
const PROMPT_MS = 2000;

const cleanUp = lastFirst({ after });

test('thirty agents register, start together once the last is ready, and all report', async () => {
  const redis = await startRedis(cleanUp);
  const agents = await startSimulatedAgents(redis.url, SENSORS);
  cleanUp.after(() => agents.close());
  const world = redisRunWorld(redis.url, silentLogger());
  cleanUp.after(() => world.close());
  const registered = await world.channel.registrations();
  assert.deepEqual([...registered.keys()].sort(), [...SENSORS].sort());

  const run = randomUUID();
  const report = await simulatedRun(world, run, SENSORS, PLAY_MS);
  assert.equal(report.outcome, 'done');
  assert.deepEqual(
    report.sensors.map(({ sensor, result, error }) => [
      sensor,
      result?.outcome,
      result?.accounts.sent,
      error,
    ]),
    SENSORS.map((sensor) => [sensor, 'done', 10, null]),
  );
  const { ready, commit, acknowledged } = await barrierOf(redis.url, run);
  assert.deepEqual([ready.length, acknowledged.length], [SENSORS.length, SENSORS.length]);
  const wait = commit - Math.max(...ready);
  assert.ok(wait >= 0 && wait < PROMPT_MS, `committed ${wait} ms after the last was ready`);
});
