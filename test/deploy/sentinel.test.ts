// Redis with sentinels: two servers and three sentinels, the first server killed while the services are connected to it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { runCapfleet } from '../support/capfleet.ts';
import { lastFirst } from '../support/last-first.ts';
import { freePorts, killProcess, startRedisProcess } from '../support/redis-processes.ts';
import { makeMappedSet, playedReport } from '../support/replay-cli.ts';
import { startCoordinator, startMapper, startReplayer, TOKEN } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

const DATA = ['first', 'second'];
const SENTINELS = ['s1', 's2', 's3'];
const USER = 'default';
const PASSWORD = 'of-the-servers';
const SENTINEL_PASSWORD = 'of-the-sentinels';

test('services find the master, and the next one when it is killed', async (context) => {
  const t = lastFirst(context);
  const place = await makeMappedSet(t, { 'a.pcap': [0, 10, 20], 'b.pcap': [5] });
  const ports = await freePorts(DATA.length + SENTINELS.length);
  const [firstPort = 0] = ports;
  const data = DATA.map((name, index) =>
    startRedisProcess(t, join(place.dir, name), [
      `port ${String(ports[index])}`,
      'save ""',
      'maxmemory-policy noeviction',
      `requirepass ${PASSWORD}`,
      `masterauth ${PASSWORD}`,
      'repl-diskless-sync-delay 0',
      ...(index === 0 ? [] : [`replicaof 127.0.0.1 ${String(firstPort)}`]),
    ]),
  );
  const hosts = SENTINELS.map((name, index) => {
    const port = String(ports[DATA.length + index]);
    startRedisProcess(
      t,
      join(place.dir, name),
      [
        `port ${port}`,
        `requirepass ${SENTINEL_PASSWORD}`,
        `sentinel monitor lab 127.0.0.1 ${String(firstPort)} 2`,
        `sentinel auth-pass lab ${PASSWORD}`,
        'sentinel down-after-milliseconds lab 1000',
        'sentinel failover-timeout lab 3000',
      ],
      '--sentinel',
    );
    return `127.0.0.1:${port}`;
  });
  const url = `redis+sentinel://${USER}:${PASSWORD}@${hosts.join(',')}/lab?sentinel-password=${SENTINEL_PASSWORD}`;

  const watch = connect(url, 'watch', silentLogger());
  t.after(async () => watch.disconnect());
  const fact = async (name: string): Promise<string> =>
    new RegExp(`^${name}:(\\S+)`, 'm').exec(await watch.info())?.[1] ?? '';
  await waitFor('the second server follows the first', async () => (await fact('connected_slaves')) === '1');
  const sentinel = connect(`redis://:${SENTINEL_PASSWORD}@${hosts[0]!}`, 'sentinel', silentLogger());
  t.after(async () => sentinel.disconnect());
  await waitFor('the sentinels know each other and the second server', async () => {
    const about = String(await sentinel.call('INFO', 'sentinel'));
    return about.includes('slaves=1,sentinels=3');
  });

  await startMapper(t, url);
  await startReplayer(t, url, 'a');
  const coordinator = await startCoordinator(t, url);
  const asked = {
    env: { ...process.env, CAPFLEET_TOKEN: TOKEN, CAPFLEET_COORDINATOR: coordinator.url },
  };
  const mapAndPlay = async (): Promise<void> => {
    const mapped = await runCapfleet(
      [
        'map',
        '--source',
        place.captures,
        '--file-suffix',
        '',
        '--fresh',
        '--dump-json',
        place.dump,
        '--set',
        'lab',
      ],
      asked,
    );
    assert.equal(mapped.code, 0, mapped.stderr);
    const words = ['--dump-json', place.dump, '--sensors', 'a', '--json', '--max-clock-bound', '1s'];
    const played = await runCapfleet(['replay', ...words], asked);
    assert.equal(playedReport(played).totals.sent, 4);
  };
  await mapAndPlay();
  assert.equal(await fact('tcp_port'), String(firstPort));

  await killProcess(data[0]!);
  await waitFor('the second server is the master', async () => (await fact('role')) === 'master', {
    timeout: 30_000,
  });
  assert.equal(await fact('tcp_port'), String(ports[1]));
  // The agent is back as soon as it has said so again.
  await waitFor('the sensor is known', async () => {
    const { stdout } = await runCapfleet(['status', '--json'], asked);
    return stdout.includes('"a"');
  });
  await mapAndPlay();
  for (const stderr of [coordinator.output.stderr]) {
    assert.ok(!stderr.includes(PASSWORD) && !stderr.includes(SENTINEL_PASSWORD), 'no password is logged');
  }
});
