// The chart's Redis as it would run: its arguments, its users and its certificate in a real redis-server, and each service
// over it with its own settings and its own user.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { runCapfleet } from '../support/capfleet.ts';
import { KEDA_ASKS } from '../support/deploy/keda.ts';
import { componentOf, podOf, render, withoutHelm, type Manifest } from '../support/deploy/helm.ts';
import { lastFirst } from '../support/last-first.ts';
import { makeMappedSet, playedReport } from '../support/replay-cli.ts';
import { startCapfleet } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const SECRET = 'redis-tls';
const ROLES = ['coordinator', 'mapper', 'replayer'] as const;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A certificate for localhost that is its own authority. */
function writeCertificate(folder: string): void {
  const [key, crt] = ['tls.key', 'tls.crt'].map((name) => join(folder, name)) as [string, string];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', crt];
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' });
  execFileSync('cp', [crt, join(folder, 'ca.crt')]);
}

function podFor(manifests: readonly Manifest[], component: string): Manifest {
  const pod = manifests
    .filter((one) => componentOf(one) === component)
    .map(podOf)
    .find((spec) => spec !== null);
  assert.ok(pod, component);
  return pod;
}

async function startServer(t: AfterHook, args: readonly string[], isReady: () => boolean): Promise<void> {
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'redis-server', ...args], {
    stdio: 'ignore',
  });
  await once(server, 'spawn');
  t.after(async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  });
  await waitFor('the probe of the chart succeeds', async () => {
    assert.equal(server.exitCode, null, 'redis-server ended');
    return isReady();
  });
}

test(
  'mapping and replay over the Redis of the chart, with TLS and a user for each service',
  { skip: withoutHelm },
  async (context) => {
    const t = lastFirst(context);
    const place = await makeMappedSet(t, { 'a.pcap': [0, 10, 20], 'b.pcap': [5, 15] });
    const manifests = render({
      captures: { claims: [{ claim: 'pcap', mountPath: place.captures }] },
      redis: { tls: { enabled: true, existingSecret: SECRET } },
      caConfigMap: 'our-ca',
      replayer: { agents: [{ name: 'main', interface: 'null' }] },
      networkPolicy: { sensorHosts: ['10.0.0.0/24'] },
    });
    const secret = manifests.find(
      ({ kind, metadata }) => kind === 'Secret' && metadata.name === 'lab-capfleet-redis',
    );
    const values: Record<string, string> = secret?.['stringData'];
    const folder = join(place.dir, 'redis');
    mkdirSync(folder);
    writeCertificate(folder);
    // As they are mounted: the authority of this Redis, and one more.
    const authorities = join(folder, 'ca');
    const other = join(folder, 'other');
    for (const made of [authorities, other]) mkdirSync(made);
    writeCertificate(other);
    copyFileSync(join(folder, 'ca.crt'), join(authorities, 'redis.crt'));
    copyFileSync(join(other, 'ca.crt'), join(authorities, 'ca.crt'));
    const acl = join(folder, 'users.acl');
    writeFileSync(acl, values['users.acl']!);
    // To look at what was refused.
    appendFileSync(acl, 'user looks on nopass ~* &* +@all\n');
    const port = String(await freePort());
    const [container] = podFor(manifests, 'redis')['containers'];
    const here = (text: string): string =>
      text
        .replace(/^6379$/, port)
        .replace(/^\/data$/, folder)
        .replace(/^\/etc\/redis\/(acl|tls)/, folder);
    const cli = (command: string, password: string): { status: number | null; stdout: string } =>
      spawnSync('sh', ['-c', command.replace('redis-cli ', `redis-cli -p ${port} `)], {
        encoding: 'utf8',
        env: { ...process.env, REDISCLI_AUTH: password },
      });
    const probe: string = container.readinessProbe.exec.command[2];
    const passwordOf = (user: string): string => values[`redis-password-${user}`]!;
    await startServer(t, container.args.map(here), () => cli(probe, passwordOf('keda')).status === 0);
    assert.notEqual(cli(probe, 'wrong').status, 0, 'the probe fails with another password');

    /** The variables of a service in the chart as Kubernetes fills them in; what listens is left to the test. */
    const envOf = (component: string): NodeJS.ProcessEnv => {
      const [{ env }] = podFor(manifests, component)['containers'];
      const filled = (env as Manifest[])
        .filter(({ name }) => !/LISTEN|TOKEN_FILE/.test(name))
        .map(({ name, value, valueFrom }): [string, string] => {
          if (valueFrom?.fieldRef) return [name, 'a'];
          if (valueFrom) assert.equal(valueFrom.secretKeyRef.name, 'lab-capfleet-redis');
          const text: string = valueFrom ? values[valueFrom.secretKeyRef.key] : value;
          return [name, text.replace('$(NODE_NAME)', 'a')];
        });
      const given = Object.fromEntries(filled);
      assert.match(given['CAPFLEET_REDIS']!, new RegExp(`^rediss://${component}:\\w{48}@lab-`));
      const own = {
        CAPFLEET_REDIS: given['CAPFLEET_REDIS']!.replace(
          'lab-capfleet-redis.pcap.svc:6379',
          `localhost:${port}`,
        ),
        CAPFLEET_CA_FILE: given['CAPFLEET_CA_FILE']!.replaceAll('/etc/capfleet/ca', authorities),
        ...(component === 'coordinator' && { CAPFLEET_TOKEN: 'x'.repeat(32) }),
      };
      return { ...process.env, ...given, ...own };
    };
    const mapper = startCapfleet(t, ['mapper'], { env: envOf('mapper') });
    const agent = startCapfleet(t, ['replayer'], { env: envOf('replayer') });
    const coordinator = startCapfleet(t, ['coordinator', '--listen', '127.0.0.1:0'], {
      env: envOf('coordinator'),
    });
    await Promise.all([
      mapper.says('mapper ready'),
      agent.says('replayer ready'),
      coordinator.says('coordinator ready'),
    ]);
    const [, address = ''] = /"address":"([^"]+)"/.exec(coordinator.output.stderr) ?? [];
    const asked = { env: { ...process.env, CAPFLEET_TOKEN: 'x'.repeat(32), CAPFLEET_COORDINATOR: address } };

    const mapped = await runCapfleet(
      [
        'map',
        '--source',
        place.captures,
        '--file-suffix',
        '',
        '--set',
        'lab',
        '--dump-json',
        place.dump,
        '--fresh',
      ],
      asked,
    );
    assert.equal(mapped.code, 0, mapped.stderr);
    const played = await runCapfleet(
      ['replay', '--dump-json', place.dump, '--sensors', 'a', '--json', '--max-clock-bound', '1s'],
      asked,
    );
    assert.ok(playedReport(played).totals.sent > 0);
    const status = await runCapfleet(['status'], asked);
    assert.equal(status.code, 0, status.stderr);
    const metrics = await (await fetch(`${address}/metrics`)).text();
    assert.match(metrics, /^capfleet_redis_up 1$/m);

    const refused = cli('redis-cli --tls --insecure --user looks --json acl log', '').stdout;
    assert.deepEqual(
      (JSON.parse(refused) as { reason: string; username: string; object: string }[]).filter(
        ({ reason, username }) => reason !== 'auth' && ROLES.some((role) => role === username),
      ),
      [],
      stringify(refused),
    );
    const says = (user: string, words: string): string =>
      cli(`redis-cli --tls --insecure --user ${user} ${words}`, passwordOf(user)).stdout;
    // And no user is more than it needs: the server's settings, its scripts and other keys are none of its business.
    for (const user of [...ROLES, 'keda'])
      for (const command of [
        "config get '*'",
        'set other 1',
        'flushall',
        'shutdown nosave',
        'script flush',
        'function list',
      ])
        assert.match(says(user, command), /NOPERM/, `${user}: ${command}`);
    for (const [user, command] of [
      ['mapper', "get '{capfleet}:runs'"],
      ['mapper', "set '{capfleet}:sensor:a' x"],
      ['replayer', "lpush '{capfleet}:map:wait' x"],
      ['replayer', "set '{capfleet}:run:one:owner' x"],
    ] as const)
      assert.match(says(user, command), /NOPERM/, `${user}: ${command}`);
    // By which docs/kubernetes.md finds out where sensors come from.
    assert.match(says('coordinator', 'client list'), / addr=127\.0\.0\.1:\d+ .*\bname=capfleet-replayer-a /);
    // KEDA sees how long the two lists are, and nothing else.
    for (const list of ['wait', 'active'])
      assert.equal(says('keda', `eval "${KEDA_ASKS}" 1 '{capfleet}:map:${list}'`), '0\n');
    for (const command of [
      "eval \"return redis.call('del', KEYS[1])\" 1 '{capfleet}:map:wait'",
      "lrange '{capfleet}:map:wait' 0 -1",
      "llen '{capfleet}:map:failed'",
      'client list',
      'cluster nodes',
    ])
      assert.match(says('keda', command), /NOPERM|ACL failure|can't run this command/, command);
  },
);
