// One agent through several runs, and a run through what its keys outlive: real agents over a real Redis whose plays are
// simulated, and a coordinator's words by hand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisRunWorld, type OpenRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import type { FromSensor, PrepareJob } from '@capfleet/shared/contract/agent-messages';
import { runKey, runPlanKey, toSensorsKey } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { lastFirst } from '../support/last-first.ts';
import { prepareJob, sensorPlan } from '../support/play-results.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { HERE, simulatedRun, startSimulatedAgents } from '../support/simulated-agents.ts';
import { waitFor } from '../support/wait-for.ts';

const SENSOR = 'one';
const MS = 1_000_000n;
const HALF_A_DAY_SECONDS = 43_200;
const cleanUp = lastFirst({ after });
let redis: RedisServer;
let world: OpenRunWorld;

before(async () => {
  redis = await startRedis(cleanUp);
  const agents = await startSimulatedAgents(redis.url, [SENSOR]);
  cleanUp.after(() => agents.close());
  world = redisRunWorld(redis.url, silentLogger());
  cleanUp.after(() => world.close());
});

/** Words of the sensor about a run, as they come. */
function hearing(run: string): {
  readonly heard: FromSensor[];
  says(type: FromSensor['type']): Promise<void>;
} {
  const heard: FromSensor[] = [];
  return {
    heard,
    async says(type) {
      await waitFor(`${type} of ${run}`, async () => {
        heard.push(...(await world.channel.listen(run, 1)));
        return heard.some((word) => word.type === type);
      });
    },
  };
}

function jobOf(run: string): PrepareJob {
  return { ...prepareJob(run, 1, SENSOR), plan: sensorPlan(SENSOR, { files: [HERE] }) };
}

/** The start, ns by the clock of Redis. */
async function commit(run: string, lead: bigint): Promise<bigint> {
  const start = (await world.channel.now()) + lead;
  await world.channel.say(run, { type: 'commit', epoch: 1, clock: 'redis', start: String(start) });
  return start;
}

test('a start that was taken back has no word in the next run', async () => {
  const first = hearing('first');
  await world.channel.prepare(SENSOR, jobOf('first'));
  await first.says('ready');
  await commit('first', 1500n * MS);
  await first.says('acknowledged');
  await world.channel.say('first', { type: 'cancel', epoch: 1, reason: 'r' });

  const second = hearing('second');
  await world.channel.prepare(SENSOR, jobOf('second'));
  await second.says('ready');
  await commit('second', 5000n * MS);
  // The first start and the time in which it could have been confirmed pass.
  await sleep(2500);
  await second.says('acknowledged');
  await world.channel.say('second', { type: 'confirm', epoch: 1 });
  await second.says('report');
  assert.deepEqual(
    second.heard.map(({ type }) => type).filter((type) => type !== 'progress'),
    ['ready', 'acknowledged', 'report'],
  );
});

test('a start is acknowledged when it is near, by a clock that was measured then', async () => {
  const far = hearing('far');
  await world.channel.prepare(SENSOR, jobOf('far'));
  await far.says('ready');
  const start = await commit('far', 5000n * MS);
  await far.says('acknowledged');
  const lead = start - (await world.channel.now());
  assert.ok(lead > 100n * MS && lead < 2100n * MS, `${lead} ns before the start`);
  await world.channel.say('far', { type: 'confirm', epoch: 1 });
  await far.says('report');
  const probes = far.heard.map((word) =>
    word.type === 'ready' ? word.clock.probes : word.type === 'report' ? word.result.clock.probes : 0,
  );
  assert.deepEqual(probes.filter(Boolean), [60, 12]);
});

test('a stop while a start is waited for is said to', async () => {
  const waiting = hearing('waiting');
  await world.channel.prepare(SENSOR, jobOf('waiting'));
  await waiting.says('ready');
  await commit('waiting', 60_000n * MS);
  await world.store.askToStop('waiting');
  await waiting.says('refused');
});

test('a stop between acknowledgement and confirmation takes the start back, and is said to', async () => {
  const stopped = hearing('stopped');
  await world.channel.prepare(SENSOR, jobOf('stopped'));
  await stopped.says('ready');
  await commit('stopped', 1500n * MS);
  await stopped.says('acknowledged');
  await world.store.askToStop('stopped');
  await world.channel.say('stopped', { type: 'confirm', epoch: 1 });
  await stopped.says('refused');
  const [refused] = stopped.heard.filter(({ type }) => type === 'refused');
  assert.ok(refused?.type === 'refused' && refused.error.code === 'run-stopped');
});

test('what is kept of a run lives on as long as it is carried through', async (t) => {
  const client = connect(redis.url, 'test', silentLogger());
  t.after(() => client.disconnect());
  const keys = [runKey('long'), runPlanKey('long', SENSOR), toSensorsKey('long')];
  const running = simulatedRun(world, 'long', [SENSOR], 3000);
  await waitFor('a commit', async () => (await client.exists(toSensorsKey('long'))) === 1);
  for (const key of keys) await client.expire(key, HALF_A_DAY_SECONDS / 2);
  assert.equal((await running).outcome, 'done');
  for (const key of keys) assert.ok((await client.ttl(key)) > HALF_A_DAY_SECONDS, key);
});
