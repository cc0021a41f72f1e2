// Redis Cluster: three masters and a replica of the one that has the keys, with a user for each role. Its master is changed on
// purpose, and killed, while the services are connected to it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { Cluster } from 'ioredis';
import { examineRedis } from '@capfleet/cli/doctor/judge-redis';
import { bullmqMapJobs } from '@capfleet/coordinator/adapters/bullmq-map-jobs';
import { silentLogger } from '@capfleet/shared/log/logger';
import { checkReachable, connect } from '@capfleet/shared/redis/connect';
import { runCapfleet } from '../support/capfleet.ts';
import { KEDA_ASKS } from '../support/deploy/keda.ts';
import { lastFirst } from '../support/last-first.ts';
import { follows, isMaster, startRedisCluster, type ClusterServer } from '../support/redis-cluster.ts';
import { freePorts, killProcess, startRedisProcess } from '../support/redis-processes.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet, playedReport } from '../support/replay-cli.ts';
import { metricsUrl, named, probe, scrape, SERVED } from '../support/scrape.ts';
import { startCoordinator, startMapper, startReplayer, TOKEN } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const USERS = ['users.acl', 'keda.acl'].map((name) =>
  resolve(import.meta.dirname, '../../deploy/redis', name),
);
const PASSWORDS = {
  coordinator: 'of-the-coordinator',
  mapper: 'of-mappers',
  replayer: 'of-replayers',
  keda: 'of-keda',
};

/** Of the cluster it asks where the keys are, and nothing else. */
function kedaOf({ port }: ClusterServer, password: string): Cluster {
  return new Cluster([{ host: '127.0.0.1', port }], {
    redisOptions: { username: 'keda', password, enableReadyCheck: false },
    enableReadyCheck: false,
    clusterRetryStrategy: () => null,
  });
}

async function callsOf({ admin }: ClusterServer, command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

test('services map and replay over a cluster, and stay when its master changes', async (context) => {
  const t = lastFirst(context);
  const place = await makeMappedSet(t, { 'a.pcap': [0, 10, 20], 'b.pcap': [5] });
  let users = USERS.map((path) => readFileSync(path, 'utf8')).join('');
  for (const [role, password] of Object.entries(PASSWORDS))
    users = users.replace(`${role.toUpperCase()}_PASSWORD`, password);
  const cluster = await startRedisCluster(t, place.dir, { users: users.trim().split('\n') });
  const { servers, owner, replica } = cluster;
  const hosts = cluster.hosts.join(',');
  const as = (role: keyof typeof PASSWORDS): string => `redis+cluster://${role}:${PASSWORDS[role]}@${hosts}`;
  await checkReachable(as('coordinator'));

  const services = await Promise.all([
    startCoordinator(t, as('coordinator')),
    startMapper(t, as('mapper'), SERVED),
    startReplayer(t, as('replayer'), 'a', ['--interface', 'null', ...SERVED]),
  ]);
  const [coordinator, ...workers] = services;
  const asked = {
    env: { ...process.env, CAPFLEET_TOKEN: TOKEN, CAPFLEET_COORDINATOR: coordinator.url },
  };
  const where = ['--source', place.captures, '--file-suffix', '', '--fresh', '--dump-json', place.dump];
  const map = async (): Promise<void> => {
    const mapped = await runCapfleet(['map', ...where, '--set', 'lab'], asked);
    assert.equal(mapped.code, 0, mapped.stderr);
  };
  const what = ['--dump-json', place.dump, '--sensors', 'a', '--json', '--max-clock-bound', '1s'];
  const play = async (): Promise<void> => {
    assert.equal(playedReport(await runCapfleet(['replay', ...what], asked)).totals.sent, 4);
  };
  await map();
  await play();
  for (const url of [coordinator.url, ...(await Promise.all(workers.map(metricsUrl)))])
    assert.equal((await probe(url, '/readyz'))[0], 200);
  const metrics = await scrape(coordinator.url);
  assert.deepEqual(named(metrics, 'capfleet_redis_up'), { capfleet_redis_up: 1 });
  assert.equal(metrics.get('capfleet_map_jobs{state="waiting"}'), 0);
  // KEDA looks up which server has the lists, and asks that one.
  const keda = kedaOf(servers[0]!, PASSWORDS.keda);
  t.after(async () => keda.disconnect());
  for (const list of ['wait', 'active'])
    assert.equal(await keda.eval(KEDA_ASKS, 1, `{capfleet}:map:${list}`), 0);
  await assert.rejects(keda.cluster('NODES'), /NOPERM/);
  // Clocks, and which sensors there are: of the one server that has the keys, whoever asks.
  for (const server of servers)
    for (const command of ['time', 'scan'])
      assert.equal(
        (await callsOf(server, command)) > 0,
        server === owner,
        `${command} ${String(server.port)}`,
      );
  const findings = await examineRedis(as('coordinator'));
  assert.deepEqual(
    findings.filter(({ verdict }) => verdict !== 'ok').map(({ check }) => check),
    ['Redis: persistence'],
  );

  await replica.admin.call('CLUSTER', 'FAILOVER');
  await waitFor(
    'the replica is the master',
    async () => (await isMaster(replica)) && !(await isMaster(owner)),
  );
  await play();
  assert.ok((await callsOf(replica, 'time')) > 0, 'its clock is the reference now');

  await waitFor('the former master follows', () => follows(owner));
  await killProcess(replica.process);
  await waitFor('the former master is the master again', () => isMaster(owner));
  await map();
  await play();

  // One that has none of the keys is not missed.
  const [other, bystander] = servers.filter((server) => server !== owner && server !== replica);
  for (const { admin } of [owner, other!]) await admin.config('SET', 'cluster-require-full-coverage', 'no');
  await killProcess(bystander!.process);
  const options = { request: 'of-the-test', quick: false, splitSize: null };
  const jobs = bullmqMapJobs(as('coordinator'), options, silentLogger());
  t.after(() => jobs.close(true));
  assert.ok((await jobs.countWorkers()) <= 1);
  await waitFor('the mapper is found', async () => (await jobs.countWorkers()) === 1);

  for (const service of services) {
    assert.ok(service.isRunning());
    for (const password of Object.values(PASSWORDS))
      assert.ok(!service.output.stderr.includes(password), 'no password is logged');
    assert.doesNotMatch(service.output.stderr, /NOPERM|NOAUTH|WRONGPASS/);
  }
});

describe('a cluster that is none is said so, without its password, in time:', () => {
  const refused = async (hosts: string, reason: RegExp): Promise<void> => {
    const since = performance.now();
    await assert.rejects(checkReachable(`redis+cluster://:a-secret@${hosts}`, 2000), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'redis-unreachable');
      assert.ok(
        error.message.startsWith(`cannot reach Redis at redis+cluster://:***@${hosts}: `),
        error.message,
      );
      assert.match(error.message, reason);
      return true;
    });
    assert.ok(performance.now() - since < 4000);
  };

  test('nobody listens', async () => {
    const [one = 0, two = 0] = await freePorts(2);
    const hosts = [one, two].map((port) => `127.0.0.1:${String(port)}`);
    await refused(hosts.join(','), new RegExp(`${hosts[0]!}; .*${hosts[1]!}$`));
  });

  test('a server that says nothing', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    await refused(`127.0.0.1:${String(port)}`, /no answer within 2000 ms$/);
  });

  test('a single server', async (t) => {
    const { url } = await startRedis(t, { password: 'a-secret' });
    await refused(new URL(url).host, /cluster support disabled/);
  });

  test('a wrong password', async (t) => {
    const { url } = await startRedis(t, { password: 'another' });
    await refused(new URL(url).host, /WRONGPASS/);
  });

  test('servers that have not been given the slots', async (t) => {
    const [port = 0, bus = 0] = await freePorts(2);
    const lines = [`port ${String(port)}`, `cluster-port ${String(bus)}`, 'cluster-enabled yes', 'save ""'];
    startRedisProcess(t, join(await tempDir(t), 'server'), [...lines, 'requirepass a-secret']);
    const plain = connect(`redis://:a-secret@127.0.0.1:${String(port)}`, 'test', silentLogger());
    await plain.ping();
    plain.disconnect();
    await refused(`127.0.0.1:${String(port)}`, /CLUSTERDOWN/);
  });
});
