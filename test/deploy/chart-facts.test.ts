// Every variable, argument, port, probe and capability in the chart's manifests is one that the program has, and its pods
// are as closed as they can be.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { QueueKeys } from 'bullmq';
import { parseSpan } from '@capfleet/cli/settings';
import { coordinatorMetrics } from '@capfleet/coordinator/metrics';
import { mapperMetrics } from '@capfleet/mapper/metrics';
import { replayerMetrics } from '@capfleet/replayer/metrics';
import { mapQueue, PREFIX } from '@capfleet/shared/contract/keys';
import { MAP_ATTEMPTS, MAP_BACKOFF_MS } from '@capfleet/shared/contract/map-job';
import { parseRedisUrl } from '@capfleet/shared/redis/redis-url';
import {
  CHART,
  componentOf,
  podOf,
  render,
  ROOT,
  unscraped,
  valueSets,
  withoutHelm,
  type Manifest,
} from '../support/deploy/helm.ts';
import { constantMs, fileCapabilities, serviceFacts, sources } from '../support/deploy/program-facts.ts';

/** Of Kubernetes (NODE_NAME is used in another one's value), of Node, and of the AWS SDK. */
const FOREIGN = new Set(['NODE_NAME', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']);

/** By figures of the coordinator, or by an alert. */
const TOLD_ELSEWHERE = new Set([
  'capfleet_replayer_busy',
  'capfleet_replayer_registered_seconds',
  'capfleet_replayer_interface_up',
]);

interface Pod {
  readonly service: string;
  readonly spec: Manifest;
}

describe('the manifests', { skip: withoutHelm }, () => {
  const manifests = withoutHelm === false ? valueSets.flatMap((set) => render(set)) : [];
  const pods: Pod[] = manifests.flatMap((manifest) => {
    const spec = podOf(manifest);
    return spec === null ? [] : [{ service: componentOf(manifest), spec }];
  });
  const ours = pods.filter(({ service }) => service !== 'redis');

  test('start the three services by their commands', () => {
    assert.deepEqual(
      new Set(ours.map(({ service }) => service)),
      new Set(['coordinator', 'mapper', 'replayer']),
    );
    for (const { service, spec } of ours) {
      const [{ args, command, image }] = spec['containers'];
      assert.deepEqual([args, command], [[service], undefined]);
      assert.match(image, new RegExp(`^(registry\\.example\\.org/team/)?capfleet/${service}:0\\.1\\.0$`));
    }
  });

  test('have only variables that the command takes', async () => {
    const facts = await serviceFacts();
    for (const { service, spec } of ours) {
      const names: string[] = spec['containers'][0].env.map(({ name }: { name: string }) => name);
      assert.equal(new Set(names).size, names.length, names.join());
      const unknown = names.filter((name) => !facts.get(service)?.variables.has(name) && !FOREIGN.has(name));
      assert.deepEqual(unknown, [], service);
    }
  });

  test('are in the groups that may read the captures', () => {
    const groups = render('internal-redis-keda-values.yaml').flatMap((manifest) => {
      const spec = podOf(manifest);
      return spec === null ? [] : [[componentOf(manifest), spec['securityContext'].supplementalGroups]];
    });
    assert.deepEqual(Object.fromEntries(groups), {
      coordinator: [2000],
      mapper: [2000],
      redis: undefined,
      replayer: [2000],
    });
  });

  test('never leave out the fence of what may be read', () => {
    for (const { service, spec } of ours) {
      const root = spec['containers'][0].env.find(({ name }: { name: string }) => name === 'CAPFLEET_ROOT');
      assert.match(root?.value, /^(\/\S+|s3:\/\/\S+)( (\/\S+|s3:\/\/\S+))*$/, service);
    }
  });

  test('trust the authorities that are mounted, in all services', () => {
    const seen = new Map<string, string>();
    for (const { service, spec } of ours) {
      const [{ env, volumeMounts }] = spec['containers'];
      const files: string = env.find(({ name }: Manifest) => name === 'CAPFLEET_CA_FILE')?.value ?? '';
      const { projected } = spec['volumes'].find(({ name }: Manifest) => name === 'ca') ?? {};
      const folder = volumeMounts.find(({ name }: Manifest) => name === 'ca')?.mountPath ?? '';
      const sources: { items: { path: string }[] }[] = (projected?.sources ?? []).map(
        ({ secret, configMap }: Manifest) => secret ?? configMap,
      );
      const mounted = sources.flatMap(({ items }) => items.map(({ path }) => `${String(folder)}/${path}`));
      assert.equal(files, mounted.join(','), service);
      seen.set(`${service} ${files}`, files);
    }
    const both = '/etc/capfleet/ca/redis.crt,/etc/capfleet/ca/ca.crt';
    for (const service of ['coordinator', 'mapper', 'replayer'])
      for (const files of ['', '/etc/capfleet/ca/ca.crt', both])
        assert.ok(seen.has(`${service} ${files}`), `${service} ${files}`);
  });

  test('have volumes and labels more where they are asked for', () => {
    for (const manifest of render('hpa-jobs-tls-values.yaml')) {
      const spec = podOf(manifest);
      if (!spec) continue;
      const { labels } = manifest['spec'].template.metadata;
      assert.equal(labels.team, 'lab');
      assert.equal(labels['app.kubernetes.io/component'], componentOf(manifest));
      if (componentOf(manifest) === 'redis') continue;
      const mounts: string[] = spec['containers'][0].volumeMounts.map(({ name }: Manifest) => name);
      const volumes: string[] = spec['volumes'].map(({ name }: Manifest) => name);
      assert.deepEqual(mounts.toSorted(), volumes.toSorted());
      assert.equal(volumes.filter((name) => /^(policy|scratch)$/.test(name)).length, 1, volumes.join());
    }
  });

  test('have the ports, the user and the addresses of the images', async () => {
    const facts = await serviceFacts();
    for (const { service, spec } of ours) {
      const { exposed, listens, user } = facts.get(service)!;
      const [{ ports, env }] = spec['containers'];
      assert.deepEqual([spec['securityContext'].runAsUser, spec['securityContext'].runAsGroup], [user, user]);
      const [variable = '', address = ''] = [...listens].find(([name]) => name.endsWith('LISTEN')) ?? [];
      const given = env.find(({ name }: { name: string }) => name === variable)?.value;
      // Two agents on one host listen on two ports.
      assert.equal(given, address.replace(/\d+$/, String(ports[0].containerPort)), service);
      if (service !== 'replayer') assert.deepEqual([ports[0].containerPort], exposed);
    }
  });

  test('have services and policies for the ports that there are', () => {
    const named = new Map<string, Set<string>>();
    for (const { service, spec } of pods) {
      const ports = spec['containers'][0].ports.map(({ name }: { name: string }) => name);
      named.set(service, new Set([...(named.get(service) ?? []), ...ports]));
    }
    for (const manifest of manifests) {
      const { kind, spec } = manifest;
      const component = componentOf(manifest);
      if (kind === 'Service')
        for (const { targetPort } of spec.ports) assert.ok(named.get(component)?.has(targetPort));
      if (kind === 'NetworkPolicy')
        for (const { ports } of spec.ingress)
          for (const { port } of ports) assert.ok(named.get(component)?.has(port));
      if (kind === 'ServiceMonitor') {
        const all = new Set([...named.values()].flatMap((names) => [...names]));
        for (const { port, path } of spec.endpoints) {
          assert.ok(all.has(port), port);
          assert.equal(path, '/metrics');
        }
      }
    }
  });

  test('let Prometheus reach what it is told to scrape', () => {
    const monitored = valueSets
      .map((set) => render(set))
      .filter((one) => one.some(({ kind }) => kind === 'ServiceMonitor'));
    assert.ok(monitored.length > 0);
    for (const each of monitored) assert.deepEqual(unscraped(each), []);
    const [some = []] = monitored;
    const closed = some.map((one) =>
      one.kind === 'NetworkPolicy' ? { ...one, spec: { ingress: [] } } : one,
    );
    assert.deepEqual(unscraped(closed), ['coordinator http', 'mapper metrics']);
  });

  test('let sensor hosts reach Redis by their networks, or by peers as they are', () => {
    const policy = render('internal-redis-keda-values.yaml').find(
      (one) => one.kind === 'NetworkPolicy' && componentOf(one) === 'redis',
    )!;
    const [{ from }] = policy['spec'].ingress;
    assert.deepEqual(from.slice(2, 5), [
      { ipBlock: { cidr: '10.0.0.0/24' } },
      { ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.9.0/24'] } },
      {
        namespaceSelector: { matchLabels: { team: 'sensors' } },
        podSelector: { matchLabels: { role: 'agent' } },
      },
    ]);
  });

  test('ask for paths that the services have', () => {
    const text = sources();
    for (const { service, spec } of ours) {
      const [container] = spec['containers'];
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const { path, port } = container[probe].httpGet;
        assert.ok(
          container.ports.some(({ name }: { name: string }) => name === port),
          service,
        );
        assert.ok(text.includes(`'${path}'`), `${service} ${String(path)}`);
      }
    }
    assert.ok(text.includes("'/metrics'"));
  });

  test('give the services longer to end than they take', () => {
    const ms = constantMs('END_DEADLINE_MS', 'shared/src/process/lifetime.ts');
    for (const { spec } of ours) assert.ok(spec['terminationGracePeriodSeconds'] * 1000 > ms);
  });

  test('let requests be led elsewhere before a coordinator ends, within its time', () => {
    const { spec } = ours.find(({ service }) => service === 'coordinator')!;
    const [{ lifecycle }] = spec['containers'];
    const [, pause] =
      /setTimeout\(\(\) => \{\}, (\d+)\)/.exec(lifecycle.preStop.exec.command.join(' ')) ?? [];
    const ms = constantMs('END_DEADLINE_MS', 'shared/src/process/lifetime.ts');
    assert.ok(Number(pause) + ms < spec['terminationGracePeriodSeconds'] * 1000);
  });

  test('give a mapper longer than its grace and what it takes to end', async () => {
    const facts = await serviceFacts();
    const closeMs = constantMs('CLOSE_MS', 'services/mapper/src/main.ts');
    const ending = (values: string | object): { grace: string; seconds: number } => {
      const mapper = render(values).find((one) => componentOf(one) === 'mapper' && podOf(one) !== null)!;
      const { containers, terminationGracePeriodSeconds: seconds } = podOf(mapper)!;
      const grace = containers[0].env.find(({ name }: Manifest) => name === 'CAPFLEET_GRACE').value;
      return { grace, seconds };
    };
    const standard = ending('default-values.yaml');
    assert.equal(standard.grace, facts.get('mapper')?.standards.get('CAPFLEET_GRACE'));
    const given = ['1500ms', '45s', '2m30s', '1h'].map((grace) => ending({ mapper: { grace } }));
    for (const { grace, seconds } of [standard, ...given])
      assert.ok(seconds * 1000 > Number(parseSpan(grace) / 1_000_000n) + closeMs, grace);
    assert.deepEqual(
      given.map(({ seconds }) => seconds),
      [12, 55, 160, 3610],
    );
  });

  test('keep to the restricted Pod Security Standard, but for replayers', () => {
    for (const { service, spec } of pods.filter((pod) => pod.service !== 'replayer')) {
      assert.deepEqual(
        [spec['hostNetwork'], spec['hostPID'], spec['hostIPC']],
        [undefined, undefined, undefined],
      );
      assert.equal(spec['securityContext'].runAsNonRoot, true, service);
      assert.notEqual(spec['securityContext'].runAsUser, 0);
      assert.deepEqual(spec['securityContext'].seccompProfile, { type: 'RuntimeDefault' });
      for (const { securityContext } of spec['containers']) {
        assert.deepEqual(securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
      for (const volume of spec['volumes']) assert.ok(!('hostPath' in volume), service);
    }
  });

  test('give replayers what their program can use, and nothing more', () => {
    const had = fileCapabilities();
    assert.deepEqual([...had].sort(), ['IPC_LOCK', 'NET_RAW', 'SYS_NICE']);
    const sets = new Set<string>();
    for (const { spec } of ours.filter(({ service }) => service === 'replayer')) {
      assert.deepEqual([spec['hostNetwork'], spec['hostPID'], spec['hostIPC']], [true, undefined, undefined]);
      const [{ securityContext }] = spec['containers'];
      const { capabilities, privileged, ...rest } = securityContext;
      assert.deepEqual(
        [privileged, rest],
        [undefined, { allowPrivilegeEscalation: true, readOnlyRootFilesystem: true }],
      );
      assert.deepEqual(capabilities.drop, ['ALL']);
      assert.ok(
        capabilities.add.every((name: string) => had.has(name)),
        capabilities.add.join(),
      );
      sets.add(capabilities.add.join());
      assert.equal(spec['nodeSelector']['capfleet.io/sensor'], 'true');
      for (const { hostPath } of spec['volumes'])
        assert.ok(hostPath === undefined || hostPath.path === '/srv/pcap');
      for (const { name, readOnly } of spec['containers'][0].volumeMounts)
        assert.ok(name === 'tmp' || readOnly === true);
    }
    assert.deepEqual(sets, new Set(['NET_RAW', 'NET_RAW,SYS_NICE,IPC_LOCK']));
  });

  test('let no pod talk to Kubernetes, and say what each needs', () => {
    for (const { service, spec } of pods) {
      assert.equal(spec['automountServiceAccountToken'], false, service);
      for (const { resources } of spec['containers']) {
        assert.ok(resources.requests.cpu && resources.requests.memory && resources.limits.memory, service);
      }
    }
  });

  test('have a mapper whose memory holds what it reads from S3', () => {
    const mebibytes = (text: string): number =>
      Number(/^(\d+)(Mi|Gi)B?$/.exec(text)?.[1]) * (text.includes('Gi') ? 1024 : 1);
    for (const { spec } of ours.filter(({ service }) => service === 'mapper')) {
      const [{ env, resources }] = spec['containers'];
      const of = (wanted: string): string => env.find(({ name }: { name: string }) => name === wanted).value;
      const buffers =
        mebibytes(of('CAPFLEET_S3_PART_SIZE')) *
        Number(of('CAPFLEET_S3_PARALLEL')) *
        Number(of('CAPFLEET_CONCURRENCY'));
      assert.ok(mebibytes(resources.requests.memory) >= buffers + 256, String(buffers));
    }
  });

  test('leave Redis the memory that a rewrite of its file takes', () => {
    for (const { spec } of pods.filter(({ service }) => service === 'redis')) {
      const [{ args, resources }] = spec['containers'];
      const [, most = ''] = / --maxmemory (\d+)mb /.exec(args.join(' ')) ?? [];
      const share = Number(most) / (resources.limits.memory === '1Gi' ? 1024 : NaN);
      assert.ok(share >= 0.5 && share <= 0.6, String(share));
    }
  });

  test('show Redis the certificate that is mounted, by a URL that the program takes', () => {
    for (const spec of render('external-url-keda-values.yaml').flatMap((one) => podOf(one) ?? [])) {
      const [{ env, volumeMounts }] = spec['containers'];
      const url = env.find(({ name }: { name: string }) => name === 'CAPFLEET_REDIS').value;
      const redis = parseRedisUrl(url);
      assert.ok(redis?.kind === 'server' && redis.tls?.client, url);
      const at = (wanted: string): Manifest => volumeMounts.find(({ name }: Manifest) => name === wanted);
      const { secret } = spec['volumes'].find(({ name }: Manifest) => name === 'redis-client');
      const files = secret.items.map(({ path }: { path: string }) =>
        join(at('redis-client')['mountPath'], path),
      );
      assert.deepEqual([redis.tls.client.cert, redis.tls.client.key], files);
    }
  });

  test("scale by the lists of BullMQ's queue, waiting and under way together", () => {
    const keys = new QueueKeys(PREFIX).getKeys(mapQueue);
    const byRedis = manifests.filter(
      ({ kind, spec }) => kind === 'ScaledObject' && spec.triggers[0].type.startsWith('redis'),
    );
    assert.ok(byRedis.length >= 4);
    for (const { spec } of byRedis) {
      const lists = Object.fromEntries(
        spec.triggers.map(({ name, metadata }: Manifest) => [name, metadata.listName]),
      );
      assert.deepEqual(lists, { waiting: keys['wait'], active: keys['active'] });
      assert.equal(spec.advanced.scalingModifiers.formula, 'waiting + active');
      assert.equal(spec.minReplicaCount, 0);
    }
  });

  test('keep a mapper for longer than a job waits for another attempt', () => {
    const { properties } = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
    const { minimum } = properties.mapper.properties.autoscaling.properties.scaleDownSeconds;
    const longestPauseMs = MAP_BACKOFF_MS * 2 ** (MAP_ATTEMPTS - 2);
    // BullMQ's jitter makes a pause shorter; KEDA looks now and then only.
    assert.ok(minimum * 1000 >= 2 * longestPauseMs + 10_000, String(longestPauseMs));
  });

  test('let KEDA reach the Redis that the services reach', () => {
    const asks = (values: string | object): object => {
      const made = render(values);
      const [trigger] = made.find(({ kind }) => kind === 'ScaledObject')!['spec'].triggers;
      const { address, enableTLS, databaseIndex } = trigger.metadata;
      const auth = made.find(({ kind }) => kind === 'TriggerAuthentication');
      assert.equal(trigger.authenticationRef?.name, auth?.['metadata'].name);
      const given = [...(auth?.['spec'].secretTargetRef ?? []), ...(auth?.['spec'].configMapTargetRef ?? [])];
      const named = Object.fromEntries(given.map(({ parameter, name }) => [parameter, name]));
      return { address, enableTLS, databaseIndex, ...named };
    };
    assert.deepEqual(asks('external-redis-keda-values.yaml'), {
      address: 'redis.example.org:6380',
      enableTLS: 'true',
      databaseIndex: '2',
      username: 'our-redis',
      password: 'our-redis',
      ca: 'our-ca',
    });
    assert.deepEqual(asks('external-url-keda-values.yaml'), {
      address: 'redis.example.org:6380',
      enableTLS: 'true',
      databaseIndex: '3',
      cert: 'redis-client',
      key: 'redis-client',
      ca: 'our-ca',
    });
    const keda = { mapper: { autoscaling: { kind: 'keda' } } };
    const internal = { tls: { enabled: true, existingSecret: 'redis-tls' } };
    assert.deepEqual(asks({ ...keda, redis: internal, caConfigMap: 'our-ca' }), {
      address: 'lab-capfleet-redis.pcap.svc:6379',
      enableTLS: 'true',
      databaseIndex: undefined,
      username: 'lab-capfleet-redis',
      password: 'lab-capfleet-redis',
      ca: 'redis-tls',
    });
    const plain = { internal: false, external: { url: 'redis://queue' } };
    assert.deepEqual(asks({ ...keda, redis: plain, caConfigMap: 'our-ca' }), {
      address: 'queue:6379',
      enableTLS: undefined,
      databaseIndex: undefined,
    });
  });

  test('ask Prometheus for metrics that there are', () => {
    const dashboard = readFileSync(join(ROOT, 'deploy/chart/files/dashboard.json'), 'utf8');
    const scaled = JSON.stringify(
      manifests.filter(({ kind }) => /^(ScaledObject|HorizontalPodAutoscaler)$/.test(kind)),
    );
    const alerts = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
    const asked = new Set(
      [...`${dashboard}${scaled}${alerts}`.matchAll(/\bcapfleet_[a-z0-9_]+/g)].map(([name]) => name),
    );
    assert.ok(asked.size > 25 && asked.has('capfleet_map_jobs'));
    const known = metricsOfServices();
    assert.deepEqual(
      [...asked].filter((name) => !known.has(name.replace(/_(bucket|count|sum)$/, ''))),
      [],
    );
    const unseen = [...known].filter(
      (name) => !/_(process|nodejs)_/.test(name) && !dashboard.includes(name) && !TOLD_ELSEWHERE.has(name),
    );
    assert.deepEqual(unseen, [], 'nobody sees them');
  });
});

/** Those of all three, with those of the process that prom-client collects. */
function metricsOfServices(): Set<string> {
  const registries = [
    coordinatorMetrics().registry,
    mapperMetrics().registry,
    replayerMetrics('s', () => null).registry,
  ];
  return new Set(registries.flatMap((registry) => registry.getMetricsAsArray().map(({ name }) => name)));
}
