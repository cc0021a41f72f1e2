// Redis with a user for each role, as deploy/redis has them: everything works with them, and what is not a role's own is
// refused by Redis itself.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { redisSensorChannel } from '@capfleet/coordinator/adapters/redis-sensor-channel';
import {
  claimKey,
  fromSensorsKey,
  mapResultsKey,
  PREFIX,
  progressKey,
  runKey,
  runOwnerKey,
  runPlanKey,
  runsKey,
  sensorKey,
  sensorLeaseKey,
  sensorQueue,
  toSensorsKey,
} from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { checkReachable, connect } from '@capfleet/shared/redis/connect';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { prepareJob } from '../support/play-results.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet, playedReport, runReplay } from '../support/replay-cli.ts';
import {
  startCapfleet,
  startCoordinator,
  startMapper,
  startReplayer,
  TOKEN,
  type Running,
} from '../support/start-capfleet.ts';
import { tempDir, type AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const DEPLOY = resolve(import.meta.dirname, '../../deploy/redis');
/** As deploy/compose/init.mjs fills them in. */
const PASSWORDS = { COORDINATOR: 'of-the-coordinator', MAPPER: 'of-mappers', REPLAYER: 'of-replayers' };
const SENSORS = ['one', 'two'] as const;

const cleanUp = lastFirst({ after });
let server = '';
let aclFile = '';
let set: MapPlace;

/** The whole server under a user's name. */
const as = (user: string, password: string): string => server.replace('//', `//${user}:${password}@`);
const coordinator = (): string => as('coordinator', PASSWORDS.COORDINATOR);
const mapper = (): string => as('mapper', PASSWORDS.MAPPER);
const replayer = (): string => as('replayer', PASSWORDS.REPLAYER);
const sensor = (name: string): string => as(`sensor-${name}`, `of-${name}`);

before(async () => {
  let users = readFileSync(join(DEPLOY, 'users.acl'), 'utf8');
  for (const [role, password] of Object.entries(PASSWORDS))
    users = users.replace(`${role}_PASSWORD`, password);
  const one = readFileSync(join(DEPLOY, 'sensor.acl'), 'utf8');
  for (const name of SENSORS) users += one.replaceAll('NAME', name).replace('SENSOR_PASSWORD', `of-${name}`);
  aclFile = join(await tempDir(cleanUp), 'users.acl');
  writeFileSync(aclFile, users);
  server = (await startRedis(cleanUp, { aclFile })).url;
  set = await makeMappedSet(cleanUp, { 'a.pcap': stamps(0, 100, 10), 'b.pcap': stamps(5, 100, 10) });
});

const sentBy = (name: string): string => join(set.dir, `${name}.pcap`);

function startSensor(t: AfterHook, name: string, redis: string): Promise<Running> {
  return startReplayer(t, redis, name, ['--interface', `file:${sentBy(name)}`]);
}

async function assertSent(...names: readonly string[]): Promise<void> {
  let sent = 0;
  for (const name of names) sent += readPcap(await readFile(sentBy(name))).packets.length;
  assert.equal(sent, 200);
}

function assertNothingRefused(...all: readonly Running[]): void {
  for (const { output } of all) assert.doesNotMatch(output.stderr, /NOPERM|NOAUTH|WRONGPASS/);
}

describe('with a user for each role', () => {
  test('a service maps, and replays over two sensors', async (t) => {
    const service = await startCoordinator(t, coordinator());
    const worker = await startMapper(t, mapper());
    const agents = [await startSensor(t, 'r1', replayer()), await startSensor(t, 'r2', replayer())];
    const tokenFile = join(set.dir, 'token');
    writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
    const there = ['--coordinator', service.url, '--token-file', tokenFile];
    const dump = join(set.dir, 'mapped-there.json');
    const what = ['--source', set.captures, '--file-suffix', '.pcap', '--dump-json', dump];
    const mapped = await runCapfleet(['map', ...what, ...there, '--set', 'lab', '--json']);
    assert.equal(mapped.code, 0, mapped.stderr);
    const options = ['--rejoin', '10s', '--orphan-timeout', '10s', '--json'];
    const played = await runReplay({ dump }, [...there, '--sensors', 'r1,r2', ...options]);
    assert.equal(playedReport(played).totals.sent, 200);
    await assertSent('r1', 'r2');
    assertNothingRefused(service, worker, ...agents);
  });

  test('commands map and replay, and a user that is one sensor’s is enough for its agent', async (t) => {
    const agents = await Promise.all(SENSORS.map((name) => startSensor(t, name, sensor(name))));
    const worker = await startMapper(t, mapper());
    const dump = join(set.dir, 'mapped.json');
    const what = ['--source', set.captures, '--file-suffix', '.pcap', '--dump-json', dump];
    const mapped = await runCapfleet(['map', ...what, '--redis', coordinator()]);
    assert.equal(mapped.code, 0, mapped.stderr);
    const options = ['--rejoin', '10s', '--orphan-timeout', '10s', '--json'];
    const where = ['--redis', coordinator(), '--sensors', SENSORS.join()];
    assert.equal(playedReport(await runReplay({ dump }, [...where, ...options])).totals.sent, 200);
    await assertSent(...SENSORS);
    assertNothingRefused(worker, ...agents);
  });

  test('an agent that comes back joins, under the user of its sensor', async (t) => {
    const first = await startSensor(t, 'one', sensor('one'));
    const where = ['--redis', coordinator(), '--dump-json', set.dump, '--sensors', 'one'];
    const how = ['--lead', '1s', '--time-modifier', '0.1', '--rejoin', '30s', '--orphan-timeout', '20s'];
    const replay = startCapfleet(t, ['replay', ...where, ...how, '--json']);
    await first.says('"word":"confirm"', 30_000);
    await waitFor('it plays', async () => (await readFile(sentBy('one'))).length > 1000);
    first.signal('SIGKILL');
    await first.ended;
    const second = await startSensor(t, 'one', sensor('one'));
    const { stdout } = await replay.ended;
    const { outcome, sensors } = JSON.parse(stdout) as { outcome: string; sensors: { returns: unknown[] }[] };
    assert.deepEqual([outcome, sensors[0]?.returns.length], ['done', 1]);
    assertNothingRefused(second);
  });

  test('doctor, status and stop work for the coordinator’s', async (t) => {
    await startSensor(t, 'two', sensor('two'));
    const doctor = await runCapfleet(['doctor', '--redis', coordinator()]);
    assert.match(doctor.stdout, /maxmemory-policy noeviction/);
    assert.doesNotMatch(doctor.stdout + doctor.stderr, /NOPERM/);
    const where = ['--redis', coordinator(), '--dump-json', set.dump, '--sensors', 'two'];
    const replay = startCapfleet(t, ['replay', ...where, '--lead', '20s', '--json']);
    const run = await waitFor('a run in the list', async () => {
      const { code, stdout, stderr } = await runCapfleet(['status', '--redis', coordinator(), '--json']);
      assert.equal(code, 0, stderr);
      const { runs } = JSON.parse(stdout) as { runs: { run: string; sensors: string[]; state: string }[] };
      return runs.find(({ sensors, state }) => sensors.join() === 'two' && !/done|stopped/.test(state))?.run;
    });
    const stopped = await runCapfleet(['stop', '--redis', coordinator(), run]);
    assert.doesNotMatch(stopped.stderr, /NOPERM/);
    const { code, stderr } = await replay.ended;
    assert.notEqual(code, 0);
    assert.doesNotMatch(stderr, /NOPERM/);
  });

  test('who has no right to something is told which user lacks it', async () => {
    const { code, stderr } = await runCapfleet(['status', '--redis', mapper()]);
    assert.equal(code, 1);
    assert.match(stderr, /deploy\/redis\/users\.acl/);
  });
});

describe('Redis refuses', () => {
  const run = 'run-1';
  type Command = [string, ...(string | number)[]];

  async function withClient(
    url: string,
    use: (client: ReturnType<typeof connect>) => Promise<void>,
  ): Promise<void> {
    const client = connect(url, 'test', silentLogger());
    try {
      await use(client);
    } finally {
      client.disconnect();
    }
  }

  async function assertRefused(url: string, ...commands: readonly Command[]): Promise<void> {
    await withClient(url, async (client) => {
      for (const [name, ...args] of commands)
        await assert.rejects(
          client.call(name, ...args),
          /NOPERM/,
          `${[name, ...args].join(' ')} of ${new URL(url).username}`,
        );
    });
  }

  /** As a coordinator would send it. */
  async function assertNoPlan(url: string, name: string): Promise<void> {
    const channel = redisSensorChannel(url, 'test', silentLogger());
    try {
      await assert.rejects(
        channel.prepare(name, prepareJob(run, 1, name)),
        /NOPERM|No permissions|can't access/i,
      );
    } finally {
      await channel.close();
    }
  }

  const word = (key: string): Command => ['XADD', key, '*', 'message', '{"type":"stop"}'];

  test('everybody without a name, and with a wrong password', async () => {
    for (const [url, said] of [
      [server, /NOAUTH/],
      [as('default', ''), /NOAUTH|WRONGPASS/],
      [as('mapper', PASSWORDS.REPLAYER), /WRONGPASS/],
      [as('sensor-one', 'of-two'), /WRONGPASS/],
    ] as const)
      await assert.rejects(checkReachable(url), said);
  });

  test('every role what concerns the whole server, or what is not Capfleet’s', async () => {
    for (const url of [coordinator(), mapper(), replayer(), sensor('one')])
      await assertRefused(
        url,
        ['FLUSHALL'],
        ['FLUSHDB'],
        ['CONFIG', 'GET', '*'],
        ['CONFIG', 'SET', 'dir', '/tmp'],
        ['KEYS', '*'],
        ['ACL', 'LIST'],
        ['MONITOR'],
        ['MODULE', 'LIST'],
        ['REPLICAOF', '127.0.0.1', 1],
        ['SAVE'],
        ['SHUTDOWN'],
        ['SCRIPT', 'FLUSH'],
        ['FUNCTION', 'FLUSH'],
        ['PUBLISH', 'channel', 'word'],
        ['GET', 'of-somebody-else'],
        ['SET', 'of-somebody-else', 'x'],
        ['EVAL', "return redis.call('SET', KEYS[1], 'x')", 1, 'of-somebody-else'],
      );
  });

  test('workers the names of what is there', async () => {
    for (const url of [mapper(), replayer(), sensor('one')])
      await assertRefused(url, ['SCAN', 0], ['RANDOMKEY'], ['DBSIZE'], ['CLIENT', 'LIST']);
  });

  test('a mapper what runs and sensors have', async () => {
    await assertRefused(
      mapper(),
      ['GET', runsKey],
      ['DEL', runKey(run)],
      ['SET', runOwnerKey(run), 'x'],
      word(toSensorsKey(run)),
      word(fromSensorsKey(run)),
      ['SET', sensorKey('one'), '{}'],
      ['GET', sensorLeaseKey('one')],
    );
    await assertNoPlan(mapper(), 'one');
  });

  test('a sensor the words of the coordinator, its plans and leases, and the mapping', async () => {
    for (const url of [replayer(), sensor('one')]) {
      await assertRefused(
        url,
        word(toSensorsKey(run)),
        ['DEL', toSensorsKey(run)],
        ['SET', runOwnerKey(run), 'x'],
        ['GET', runPlanKey(run, 'one')],
        ['DEL', runKey(run)],
        ['ZREM', runsKey, run],
        ['SET', sensorLeaseKey('one'), 'x'],
        ['XADD', mapResultsKey('r'), '*', 'map', '{}'],
        ['LPUSH', `${PREFIX}:map:wait`, 'job'],
      );
    }
  });

  test('the user of one sensor what is another’s', async () => {
    await assertRefused(
      sensor('one'),
      ['SET', sensorKey('two'), '{}'],
      ['GET', sensorKey('two')],
      ['SET', claimKey(run, 'two'), '9 x'],
      ['LPUSH', `${PREFIX}:${sensorQueue('two')}:wait`, 'job'],
      // A name that only begins like its own.
      ['LPUSH', `${PREFIX}:${sensorQueue('one-more')}:wait`, 'job'],
      ['SET', sensorKey('one-more'), '{}'],
    );
    await assertNoPlan(sensor('one'), 'two');
    await withClient(sensor('one'), async (client) => {
      await client.set(claimKey(run, 'one'), '1 x', 'EX', 1);
      await client.xadd(progressKey('none'), '*', 'message', 'x');
      await client.expire(progressKey('none'), 1);
    });
  });
});

test('what was written under any user is there after a restart: Redis reads its file as the user `default`', async (t) => {
  const own = await startRedis(t, { aclFile, appendOnly: true });
  const client = connect(
    own.url.replace('//', `//coordinator:${PASSWORDS.COORDINATOR}@`),
    'test',
    silentLogger(),
  );
  t.after(() => {
    client.disconnect();
  });
  await client.multi().set(runKey('kept'), '1').sadd(runsKey, 'kept').exec();
  await own.kill();
  await own.start();
  assert.equal(await client.get(runKey('kept')), '1');
  await assert.rejects(checkReachable(own.url), /NOAUTH/);
});
