// A Redis that refuses what an agent says, and what strangers write into the streams of a run.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fromSensorsKey, mapResultsKey, toSensorsKey } from '@capfleet/shared/contract/keys';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import { redisSensorChannel } from '@capfleet/coordinator/adapters/redis-sensor-channel';
import { silentLogger, type Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { makeMappedSet, playedReport } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let set: MapPlace;
before(async () => {
  redis = await startRedis(cleanUp);
  set = await makeMappedSet(cleanUp, { 'a.pcap': stamps(0, 10, 100) });
});

/** Long enough for a test to step in between the acknowledgement and the report. */
const LEAD = ['--lead', '3s'];

function startRun(sensors: string): Running {
  const where = ['--redis', redis.url, '--dump-json', set.dump, '--sensors', sensors];
  return startCapfleet(cleanUp, ['replay', ...where, ...LEAD, '--json']);
}

describe('an agent', () => {
  test('tells its report again that a full Redis refused', async (t) => {
    const client = connect(redis.url, 'test', silentLogger());
    t.after(() => {
      client.disconnect();
    });
    const agent = await startReplayer(t, redis.url, 'one', ['--interface', 'null']);
    const replay = startRun('one');
    await agent.says('"word":"confirm"', 30_000);
    await client.config('SET', 'maxmemory', '1');
    await agent.says('telling the coordinator failed', 30_000);
    await client.config('SET', 'maxmemory', '0');
    const report = playedReport(await replay.ended);
    assert.equal(report.totals.sent, 10);
  });

  test('takes no start that its plan does not allow', async (t) => {
    const client = connect(redis.url, 'test', silentLogger());
    t.after(() => {
      client.disconnect();
    });
    const early = await startReplayer(t, redis.url, 'early', ['--interface', 'null']);
    const late = await startReplayer(t, redis.url, 'late', ['--interface', 'null']);
    // The one is ready, and its run waits for the other.
    late.signal('SIGSTOP');
    const replay = startRun('early,late');
    await early.says('"word":"ready"', 30_000);
    const [, run = ''] = /"run":"([^"]+)","word":"ready"/.exec(early.output.stderr) ?? [];
    for (const start of ['9'.repeat(25), String((BigInt(Date.now()) + 86_400_000n) * 1_000_000n)])
      await client.xadd(
        toSensorsKey(run),
        '*',
        'message',
        JSON.stringify({ type: 'commit', epoch: 1, clock: 'redis', start }),
      );
    await early.says('passed over a start', 10_000);
    late.signal('SIGCONT');
    const report = playedReport(await replay.ended);
    assert.equal(report.totals.sent, 10);
  });
});

test('a coordinator hears the words that fit among those that do not, which fill no log', async (context) => {
  const t = lastFirst(context);
  const logged: unknown[][] = [];
  const log = { ...silentLogger(), error: (...line: unknown[]) => logged.push(line) } as unknown as Logger;
  const client = connect(redis.url, 'test', silentLogger());
  const channel = redisSensorChannel(redis.url, 'test', log);
  t.after(() => {
    client.disconnect();
    return channel.close();
  });
  const fits = { type: 'acknowledged', sensor: 'one', epoch: 1 };
  const words = client.pipeline();
  for (let n = 0; n < 500; n += 1)
    for (const word of ['{', '{"type":"progress"}', n === 250 ? JSON.stringify(fits) : '[]'])
      words.xadd(fromSensorsKey('strange'), '*', 'message', word);
  await words.exec();
  const heard = [...(await channel.listen('strange', 100)), ...(await channel.listen('strange', 100))];
  assert.deepEqual(heard, [fits]);
  assert.deepEqual(
    logged.map(([about]) => (about as { words: number }).words).reduce((sum, count) => sum + count, 0),
    1499,
  );
  assert.ok(logged.length <= 2, String(logged.length));
});

test('results of strangers fill no log, either', async (context) => {
  const t = lastFirst(context);
  const logged: unknown[][] = [];
  const log = { ...silentLogger(), error: (...line: unknown[]) => logged.push(line) } as unknown as Logger;
  const client = connect(redis.url, 'test', silentLogger());
  const jobs = bullmqMapJobs(redis.url, { request: 'strange', quick: false, splitSize: null }, log);
  t.after(() => {
    client.disconnect();
    return jobs.close(true);
  });
  const results = client.pipeline();
  for (let n = 0; n < 900; n += 1) results.xadd(mapResultsKey('strange'), '*', 'answer', '{"job":1}');
  await results.exec();
  assert.deepEqual(await jobs.take(), []);
  assert.deepEqual(
    logged.map(([about]) => (about as { results: number }).results),
    [900],
  );
});
