/**
 * The Compose project for real: images built, brought up, a set mapped from S3 and replayed, mappers scaled under load, a
 * service killed. `npm test -- test/deploy/compose`
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { startContainerEngine } from '../support/deploy/container-engine.ts';
import { lastFirst } from '../support/last-first.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROJECT = 'capfleet-test';
const SERVICES = ['coordinator', 'mapper', 'replayer', 'cli'];
const REVISION = 'of-the-test';
const MINUTE = 60_000;
const COPIES = 100;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

const cleanUp = lastFirst({ after });
const engine = await startContainerEngine(cleanUp);
const skip = typeof engine === 'string' && engine;
const env =
  typeof engine === 'string'
    ? process.env
    : { ...engine.env, CAPFLEET_PORT: '0', CAPFLEET_REVISION: REVISION };

async function docker(...args: string[]): Promise<Ended> {
  const child = spawn('docker', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const compose = (...args: string[]): Promise<Ended> => docker('compose', '--project-name', PROJECT, ...args);

async function done(running: Promise<Ended>): Promise<string> {
  const { code, output } = await running;
  assert.equal(code, 0, output.split('\n').slice(-40).join('\n'));
  return output;
}

/** The containers of a service that are healthy. */
async function healthy(service: string): Promise<number> {
  const listed = await done(compose('ps', '--format', '{{.Service}} {{.Health}}'));
  return listed.split('\n').filter((line) => line === `${service} healthy`).length;
}

describe('the Compose project', { skip, timeout: 25 * MINUTE }, () => {
  before(async () => {
    cleanUp.after(async () => {
      await compose('--profile', 'commands', 'down', '--volumes', '--timeout', '5');
    });
    await done(compose('--profile', 'commands', 'build'));
  });

  test('has images that run as an ordinary user, say what they are and whether they are well', async (t) => {
    for (const name of SERVICES) {
      const text = await done(docker('image', 'inspect', `capfleet/${name}:dev`));
      const [{ Config, Size }] = JSON.parse(text) as [
        { Config: { User: string; Labels: Record<string, string>; Healthcheck?: unknown }; Size: number },
      ];
      assert.equal(Config.User, '10001:10001');
      const [licenses, version, revision] = ['licenses', 'version', 'revision'].map(
        (label) => Config.Labels[`org.opencontainers.image.${label}`],
      );
      assert.deepEqual([licenses, version, revision], ['Apache-2.0', 'dev', REVISION]);
      assert.equal(Config.Healthcheck !== undefined, name !== 'cli');
      t.diagnostic(`capfleet/${name}: ${String(Math.round(Size / 1e6))} MB`);
    }
    for (const name of ['coordinator', 'mapper']) {
      const found = await done(
        docker(
          'run',
          '--rm',
          '--entrypoint',
          'sh',
          `capfleet/${name}:dev`,
          '-c',
          'find / -name "libpcap.so*" -o -name "*.node" -path "*pacer*" 2>/dev/null || true',
        ),
      );
      assert.equal(found, '', 'only the replayer carries libpcap and the native core');
    }
  });

  test('is healthy within a minute', async (t) => {
    const begun = performance.now();
    await done(compose('up', '--detach', '--wait'));
    const seconds = (performance.now() - begun) / 1000;
    t.diagnostic(`${typeof engine === 'string' ? '' : engine.version}: up after ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 60, `${String(seconds)} s`);
    const [coordinators, mappers, replayers] = await Promise.all(
      ['coordinator', 'mapper', 'replayer-a'].map(healthy),
    );
    assert.deepEqual([coordinators, mappers, replayers], [1, 2, 1]);
  });

  test('gives the replayers the capabilities they need, and no others', async () => {
    const status = await done(compose('exec', 'replayer-a', 'cat', '/proc/1/status'));
    // CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_NICE
    assert.match(status, /^CapEff:\s+0000000000806000$/m);
    assert.match(status, /^Uid:\s+10001\s/m);
    const mapper = await done(compose('exec', 'mapper', 'cat', '/proc/1/status'));
    assert.match(mapper, /^CapEff:\s+0000000000000000$/m);
  });

  test('maps from S3 and replays on both sensors at one instant; all arrives', async (t) => {
    const { code, output } = await compose('run', '--rm', 'try');
    // Whether the timing holds its limits is for a machine that is not shared.
    assert.ok(code === 0 || code === exitCode.verdict, output);
    assert.match(output, /^set try-1: 16 files, 15,000 packets$/m);
    assert.match(output, /: 15,000 of 15,000 packets sent/);
    assert.match(output, /^sensors started within /m);
    const arrived = [...output.matchAll(/^([\d,]+) of \1 packets arrived, in order$/gm)];
    assert.equal(arrived.length, 2, output);
    for (const [line] of output.matchAll(/^sensors started within .*$/gm)) t.diagnostic(line);
  });

  test('has its mappers scaled to four and back while they map, one is killed, and every file is mapped once', async () => {
    let isMapping = true;
    const mapping = compose('run', '--rm', 'try', '--copies', String(COPIES), '--map-only').finally(
      () => (isMapping = false),
    );
    await waitFor(
      'mapping',
      async () => (await done(compose('exec', 'mapper', 'node', '-e', COUNT_MAPPED))) !== '0',
      {
        timeout: 4 * MINUTE,
        every: 500,
      },
    );
    await done(compose('up', '--detach', '--no-recreate', '--scale', 'mapper=4', 'mapper'));
    await waitFor('four mappers', async () => (await healthy('mapper')) === 4, {
      timeout: 2 * MINUTE,
      every: 500,
    });
    await done(docker('kill', `${PROJECT}-mapper-3`));
    assert.ok(isMapping, 'it was mapped before there were four mappers: let there be more COPIES');
    await done(compose('up', '--detach', '--no-recreate', '--scale', 'mapper=2', 'mapper'));
    const output = await done(mapping);
    const files = 16 * COPIES;
    assert.match(
      output,
      new RegExp(`^set try-${String(COPIES)}: ${files.toLocaleString('en')} files, `, 'm'),
    );
    await done(compose('up', '--detach', '--wait', '--scale', 'mapper=2'));
    assert.equal(await healthy('mapper'), 2);
  });

  test('keeps what it knows when Redis and the coordinator are killed and come back', async () => {
    await done(compose('kill', 'redis', 'coordinator'));
    const areHealthy = async (many: number): Promise<boolean> =>
      (await healthy('mapper')) === 2 * many && (await healthy('replayer-a')) === many;
    await waitFor('nobody is ready', () => areHealthy(0), { timeout: MINUTE, every: 500 });
    await done(compose('up', '--detach', '--no-recreate', '--scale', 'mapper=2'));
    await waitFor('all are ready again', () => areHealthy(1), { timeout: MINUTE, every: 500 });
    await waitFor('the coordinator, too', async () => (await healthy('coordinator')) === 1, {
      timeout: MINUTE,
    });
    const listed = await done(compose('run', '--rm', 'cli', 'status'));
    assert.match(listed, /^ +a .*\n +b /m);
    assert.match(listed, / {2}done, /);
  });

  test('has its agents on interfaces of the host, where it is told which', async (t) => {
    const interfaces = { CAPFLEET_INTERFACE_A: 'cf-near-a', CAPFLEET_INTERFACE_B: 'cf-near-b' };
    const files = ['--file', 'docker-compose.yml', '--file', 'deploy/compose/interfaces.yml'];
    const onHost = (...args: string[]): Promise<string> => done(compose(...files, ...args));
    await assert.rejects(onHost('config'), /CAPFLEET_INTERFACE_[AB] .*names an interface of this host/);
    Object.assign(env, interfaces);
    if (process.getuid?.() !== 0) {
      t.skip('only root can make interfaces');
      return;
    }
    const ip = (line: string): string => execFileSync('ip', line.split(' '), { encoding: 'utf8' });
    ip('netns add cf-far');
    t.after(() => ip('netns delete cf-far'));
    for (const end of ['a', 'b']) {
      ip(`link add cf-near-${end} type veth peer name cf-far-${end} netns cf-far`);
      // So that nothing but the replay is on it.
      writeFileSync(`/proc/sys/net/ipv6/conf/cf-near-${end}/disable_ipv6`, '1');
      ip(`link set cf-near-${end} up`);
      ip(`-n cf-far link set cf-far-${end} up`);
    }
    await onHost('up', '--detach', '--wait', '--scale', 'mapper=2');
    // The S3 server is a new one.
    await onHost('run', '--rm', 'try', '--map-only');
    const command = `capfleet map --source s3://captures/try-1 --file-suffix .pcap.gz --set on-host --dump-json /tmp/d.json >&2 &&
      capfleet replay --dump-json /tmp/d.json --sensors a,b --json`;
    const { code, output } = await compose(
      ...files,
      'run',
      '--rm',
      '--entrypoint',
      'sh',
      'cli',
      '-c',
      command,
    );
    assert.ok(code === 0 || code === exitCode.verdict, output);
    assert.match(output, /"sent": 15000\b/);
    const arrived = ['a', 'b'].map((end) => {
      const [link] = JSON.parse(ip(`-n cf-far -s -j link show dev cf-far-${end}`));
      return link.stats64.rx.packets as number;
    });
    assert.equal(arrived[0]! + arrived[1]!, 15_000);
    assert.ok(arrived.every((packets) => packets > 0));
  });

  test('tells no secret in its logs', async () => {
    const secrets = await done(
      compose(
        'run',
        '--rm',
        '--no-deps',
        '--entrypoint',
        'sh',
        'init',
        '-c',
        'cat /secrets/*/token /secrets/*/credentials /secrets/redis/users.acl',
      ),
    );
    const words = [...secrets.matchAll(/[0-9a-f]{20,}/g)].map(([word]) => word);
    assert.ok(words.length > 6);
    const logs = await done(compose('logs', '--no-color'));
    for (const word of new Set(words)) assert.ok(!logs.includes(word));
  });
});

/** Run in a mapper: how many files it has mapped. */
const COUNT_MAPPED = `
  const text = await (await fetch('http://127.0.0.1:8471/metrics')).text();
  const [, mapped = '0'] = /^capfleet_mapper_files_total\\{.*\\} (\\d+)/m.exec(text) ?? [];
  process.stdout.write(mapped);`;
