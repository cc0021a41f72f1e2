// The Helm chart: linted, and rendered with every value set of deploy/chart/ci; what it refuses, and what it keeps secret.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import {
  CHART,
  componentOf,
  helm,
  podOf,
  render,
  ROOT,
  valueSets,
  withoutHelm,
  type Manifest,
} from '../support/deploy/helm.ts';

const kindsOf = (manifests: readonly Manifest[]): string[] => manifests.map(({ kind }) => kind);

describe('the chart', { skip: withoutHelm }, () => {
  for (const set of valueSets) {
    test(`helm lint --strict takes ${set}`, () => {
      const { code, stdout, stderr } = helm(['lint', '--strict'], set);
      assert.equal(code, 0, stdout + stderr);
    });
  }

  test('each thing is made once, in its namespace, with the labels of its release', () => {
    for (const set of valueSets) {
      const names = render(set).map(({ kind, metadata }) => {
        assert.equal(metadata.namespace, 'pcap', `${kind} ${String(metadata.name)}`);
        assert.equal(metadata.labels['app.kubernetes.io/instance'], 'lab');
        assert.equal(metadata.labels['app.kubernetes.io/name'], 'capfleet');
        return `${kind} ${String(metadata.name)}`;
      });
      assert.equal(new Set(names).size, names.length, `${set}: ${names.join()}`);
    }
  });

  test('makes what needs custom resources only where it is asked to', () => {
    const custom = (set: string): string[] =>
      kindsOf(render(set)).filter((kind) =>
        /^(ScaledObject|TriggerAuthentication|ServiceMonitor)$/.test(kind),
      );
    assert.deepEqual(custom('default-values.yaml'), []);
    assert.deepEqual(custom('hpa-values.yaml'), []);
    assert.deepEqual(custom('internal-redis-keda-values.yaml').sort(), [
      'ScaledObject',
      'ServiceMonitor',
      'TriggerAuthentication',
    ]);
  });

  test('a name that YAML would read as a number, or as nothing, stays a name', () => {
    for (const name of ['123', '1e5', 'null', 'true', '0x1f'])
      for (const tls of [{ existingSecret: name }, { clientSecret: name }]) {
        const isInternal = 'existingSecret' in tls;
        const made = render({
          caConfigMap: name,
          image: { registry: '', tag: name, pullSecrets: [name] },
          redis: {
            internal: isInternal,
            existingSecret: name,
            image: name,
            tls: { enabled: true, ...tls },
            storage: { size: '1Gi', storageClass: name },
          },
          s3: { existingSecret: name },
          captures: { claims: [{ claim: name, mountPath: '/captures' }] },
          coordinator: {
            existingSecret: name,
            ingress: { enabled: true, host: name, className: name, tlsSecret: name },
          },
          mapper: {
            priorityClassName: name,
            serviceAccount: { create: true, name },
            autoscaling: { kind: 'keda' },
          },
          networkPolicy: { kedaNamespace: name, coordinatorFrom: [{ ipBlock: { cidr: '10.0.0.0/8' } }] },
          ...(!isInternal && { redis: { internal: false, external: { url: 'rediss://h:1' }, tls } }),
        });
        const NAMES =
          /^(name|(secret|claim|serviceAccount|ingressClass|storageClass|priorityClass)Name|image|host|kubernetes\.io\/metadata\.name)$/;
        JSON.stringify(made, (key, value: unknown) => {
          if (NAMES.test(key)) assert.equal(typeof value, 'string', `${key} of ${name}`);
          return value;
        });
      }
  });

  test('S3 is reached by keys of a Secret, or by what the service accounts are', () => {
    const annotations = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/pcap' };
    const accounts = Object.fromEntries(
      ['coordinator', 'mapper', 'replayer'].map((part) => [
        part,
        { serviceAccount: { create: true, annotations } },
      ]),
    );
    const keysIn = (manifests: readonly Manifest[]): string[] =>
      manifests
        .flatMap((one) => podOf(one) ?? [])
        .flatMap(({ containers }) => containers[0].env ?? [])
        .filter(({ name }: { name: string }) => /^AWS_(ACCESS|SECRET)/.test(name))
        .map(({ name, valueFrom }: Manifest) => `${String(name)} ${valueFrom.secretKeyRef.name}`);
    const replayer = { ...accounts['replayer'], agents: [{ name: 'main', interface: 'eth1' }] };
    const sensors = { networkPolicy: { sensorHosts: ['10.0.0.0/24'] } };
    const byAccount = render({ ...accounts, ...sensors, replayer });
    const made = byAccount.filter(({ kind }) => kind === 'ServiceAccount');
    assert.deepEqual(
      made.map(({ metadata }) => metadata.annotations),
      [annotations, annotations, annotations],
    );
    assert.deepEqual(keysIn(byAccount), []);
    assert.deepEqual(
      new Set(keysIn(render({ s3: { existingSecret: 'keys' } }))),
      new Set(['AWS_ACCESS_KEY_ID keys', 'AWS_SECRET_ACCESS_KEY keys']),
    );
  });

  test('an ingress leads to the coordinator, over TLS', () => {
    const made = render('external-url-keda-values.yaml');
    const { spec } = made.find(({ kind }) => kind === 'Ingress')!;
    const { service } = spec['rules'][0].http.paths[0].backend;
    const named = made.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service.name);
    assert.deepEqual(service.port, { name: named?.['spec'].ports[0].name });
    assert.deepEqual(spec['tls'], [{ hosts: ['capfleet.example.org'], secretName: 'capfleet-tls' }]);
    assert.equal(spec['rules'][0].host, 'capfleet.example.org');
  });

  test('KEDA asks a Redis Cluster for the lists, by any of its servers and with TLS', () => {
    const manifests = render('cluster-keda-values.yaml');
    const scaled = manifests.find(({ kind }) => kind === 'ScaledObject');
    const addresses = 'redis-0.redis.svc:6379,redis-1.redis.svc:6379,redis-2.redis.svc:6379';
    assert.deepEqual(
      scaled?.['spec'].triggers,
      ['active', 'wait'].map((list) => ({
        type: 'redis-cluster',
        name: list === 'wait' ? 'waiting' : list,
        metadata: { addresses, listName: `{capfleet}:map:${list}`, listLength: '8', enableTLS: 'true' },
        authenticationRef: { name: 'lab-capfleet-mapper-redis' },
      })),
    );
    const login = manifests.find(({ kind }) => kind === 'TriggerAuthentication');
    assert.deepEqual(
      login?.['spec'].secretTargetRef.map(({ key }: { key: string }) => key),
      ['redis-username-keda', 'redis-password-keda'],
    );
  });

  test('its version is that of the program', () => {
    const { appVersion } = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'));
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.equal(appVersion, version);
  });

  const refused: readonly [what: string, values: object, reason: RegExp][] = [
    ['an unknown value', { mapper: { replicaCount: 3 } }, /replicaCount is not allowed/],
    ['a value of a wrong type', { coordinator: { replicas: '2' } }, /replicas: Invalid type/],
    [
      'a password in the values',
      { redis: { internal: false, external: { url: 'redis://:secret@queue:6379' } } },
      /external.url/,
    ],
    [
      'a capability that the image does not have',
      { replayer: { extraCapabilities: ['SYS_ADMIN'] } },
      /extraCapabilities/,
    ],
    ['no Redis at all', { redis: { internal: false } }, /where Redis is, since redis.internal is false/],
    [
      'sensors that do not reach Redis',
      { replayer: { agents: [{ name: 'main', interface: 'eth1' }] } },
      /networkPolicy.sensorHosts/,
    ],
    [
      'KEDA that does not know where Redis is',
      { redis: { internal: false, existingSecret: 'ours' }, mapper: { autoscaling: { kind: 'keda' } } },
      /redis.external.address/,
    ],
    [
      'KEDA that does not know where the sentinels are',
      {
        redis: { internal: false, external: { url: 'redis+sentinel://one:26379,two:26379/lab' } },
        mapper: { autoscaling: { kind: 'keda' } },
      },
      /redis.external.address/,
    ],
    [
      'a Prometheus that reaches nothing',
      { metrics: { serviceMonitor: { enabled: true } } },
      /networkPolicy.metricsFrom: the namespace of Prometheus/,
    ],
    [
      'an ingress that does not reach the coordinator',
      { coordinator: { ingress: { enabled: true, host: 'capfleet.example.org' } } },
      /networkPolicy.coordinatorFrom: the namespace of the ingress controller/,
    ],
    [
      'an ingress without a name',
      { coordinator: { ingress: { enabled: true } }, networkPolicy: { enabled: false } },
      /coordinator.ingress.host/,
    ],
    [
      "a client's certificate for the internal Redis",
      { redis: { tls: { enabled: true, existingSecret: 'tls', clientSecret: 'client' } } },
      /redis.tls.clientSecret/,
    ],
    [
      "a client's certificate for a Redis without TLS",
      {
        redis: { internal: false, external: { url: 'redis://queue:6379' }, tls: { clientSecret: 'client' } },
      },
      /redis.tls.clientSecret: .* without TLS/,
    ],
    [
      'a label by which pods are found',
      { mapper: { podLabels: { 'app.kubernetes.io/component': 'other' } } },
      /podLabels/,
    ],
    [
      'KEDA in another database than the services',
      {
        redis: { internal: false, external: { url: 'redis://queue:6379/2', database: 3 } },
        mapper: { autoscaling: { kind: 'keda' } },
      },
      /redis.external.url says another one/,
    ],
    [
      'KEDA with TLS, and services without',
      {
        redis: { internal: false, external: { url: 'redis://queue:6379' }, tls: { enabled: true } },
        mapper: { autoscaling: { kind: 'keda' } },
      },
      /which is without TLS/,
    ],
    [
      'KEDA that does not know where the servers of a cluster are',
      {
        redis: { internal: false, external: { url: 'redis+cluster://one:6379,two:6379' } },
        mapper: { autoscaling: { kind: 'keda' } },
      },
      /redis.external.address \(sentinels, cluster\)/,
    ],
    [
      'a Redis that has sentinels and is a cluster',
      {
        redis: {
          internal: false,
          existingSecret: 'ours',
          external: { sentinels: ['a:1'], cluster: ['b:1'] },
        },
        mapper: { autoscaling: { kind: 'keda' } },
      },
      /one or the other/,
    ],
    [
      'mappers that are gone before a job is tried again',
      { mapper: { autoscaling: { kind: 'keda', scaleDownSeconds: 29 } } },
      /scaleDownSeconds/,
    ],
    ['TLS without a certificate', { redis: { tls: { enabled: true } } }, /redis.tls.existingSecret/],
  ];
  for (const [what, values, reason] of refused) {
    test(`refuses ${what}`, () => {
      const { code, stderr } = helm(['template', 'lab'], values);
      assert.notEqual(code, 0);
      assert.match(stderr, reason);
    });
  }

  test('refuses a variable that it sets itself, in every service, and takes others', () => {
    const sensors = {
      replayer: { agents: [{ name: 'main', interface: 'eth1' }] },
      networkPolicy: { sensorHosts: ['10.0.0.0/24'] },
      s3: { endpoint: 'https://s3.example.org', region: 'here', pathStyle: true, existingSecret: 'keys' },
      caConfigMap: 'our-ca',
    };
    const withEnv = (component: string, names: readonly string[]): object => {
      const extraEnv = names.map((name) => ({ name, value: '1' }));
      return {
        ...sensors,
        [component]: { ...(component === 'replayer' && sensors.replayer), extraEnv },
      };
    };
    for (const component of ['coordinator', 'mapper', 'replayer']) {
      const pod = render(sensors)
        .filter((one) => componentOf(one) === component)
        .map(podOf)
        .find((one) => one !== null)!;
      const names: string[] = pod['containers'][0].env.map(({ name }: Manifest) => name);
      const { code, stderr } = helm(['template', 'lab'], withEnv(component, ['NODE_OPTIONS', ...names]));
      assert.notEqual(code, 0);
      assert.ok(
        stderr.includes(`${component}.extraEnv: `) && stderr.includes(`: ${names.join(', ')}\n`),
        stderr,
      );
      assert.equal(helm(['template', 'lab'], withEnv(component, ['NODE_OPTIONS'])).code, 0);
    }
  });

  test('each service has the Redis user of its role, and KEDA its own; or all have one', () => {
    const keysOf = (values: string | object): Record<string, string[]> => {
      const found = render(values).flatMap((manifest): [string, string[]][] => {
        if (manifest.kind === 'TriggerAuthentication')
          return [['keda', manifest['spec'].secretTargetRef.map(({ key }: { key: string }) => key)]];
        const env: Manifest[] = podOf(manifest)?.['containers'][0].env ?? [];
        const keys = env.flatMap(({ name, valueFrom }) =>
          /REDIS/.test(name) ? [valueFrom.secretKeyRef.key] : [],
        );
        return keys.length === 0 ? [] : [[componentOf(manifest), keys]];
      });
      return Object.fromEntries(found);
    };
    const roles = {
      coordinator: ['redis-url-coordinator'],
      mapper: ['redis-url-mapper'],
      replayer: ['redis-url-replayer'],
      keda: ['redis-username-keda', 'redis-password-keda'],
    };
    const { redis: probe, ...internal } = keysOf('internal-redis-keda-values.yaml');
    assert.deepEqual([internal, probe], [roles, ['redis-password-keda']]);
    const external = (redis: object): object => ({
      redis: { internal: false, existingSecret: 'ours', external: { address: 'queue:6379', ...redis } },
      replayer: { agents: [{ name: 'main', interface: 'eth1' }] },
      mapper: { autoscaling: { kind: 'keda' } },
    });
    assert.deepEqual(keysOf(external({})), roles);
    assert.deepEqual(keysOf(external({ oneUser: true })), {
      coordinator: ['redis-url'],
      mapper: ['redis-url'],
      replayer: ['redis-url'],
      keda: ['redis-username', 'redis-password'],
    });
  });

  test('secrets are made new for each release', () => {
    const secrets = (values: object): Manifest[] => render(values).filter(({ kind }) => kind === 'Secret');
    const of = (one: Manifest | undefined): string => JSON.stringify(one?.['data'] ?? one?.['stringData']);
    const [first, second] = [secrets({}), secrets({})];
    assert.deepEqual([first.length, second.length], [2, 2]);
    first.forEach((one, index) => {
      assert.notEqual(of(one), of(second[index]));
      assert.equal(one['metadata'].annotations['helm.sh/resource-policy'], 'keep');
    });
  });

  test('pods are made anew when a secret of theirs that the chart makes is another', () => {
    const annotationsOf = (manifests: readonly Manifest[]): Record<string, Record<string, string>> =>
      Object.fromEntries(
        manifests
          .filter((one) => podOf(one) !== null)
          .map((one) => [componentOf(one), one['spec'].template.metadata.annotations ?? {}]),
      );
    const sensors = {
      replayer: { agents: [{ name: 'main', interface: 'eth1' }], podAnnotations: { team: 'lab' } },
      networkPolicy: { sensorHosts: ['10.0.0.0/24'] },
    };
    const made = render(sensors);
    const secret = (name: string): Record<string, string> => {
      const one = made.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name);
      return one?.['stringData'] ?? one?.['data'];
    };
    const redis = secret('lab-capfleet-redis');
    const token = Buffer.from(secret('lab-capfleet-coordinator')['token']!, 'base64').toString();
    const sum = (text: string): string => createHash('sha256').update(text).digest('hex');
    const url = (role: string): object => ({ 'checksum/redis-url': sum(redis[`redis-url-${role}`]!) });
    assert.deepEqual(annotationsOf(made), {
      redis: { 'checksum/users': sum(redis['users.acl']!.trim()) },
      coordinator: { ...url('coordinator'), 'checksum/token': sum(token) },
      mapper: url('mapper'),
      replayer: { ...url('replayer'), team: 'lab' },
    });
    const yours = { redis: { existingSecret: 'ours' }, coordinator: { existingSecret: 'ours' } };
    assert.deepEqual(annotationsOf(render({ ...sensors, ...yours })), {
      redis: {},
      coordinator: {},
      mapper: {},
      replayer: { team: 'lab' },
    });
  });

  test('secrets of yours are not made', () => {
    const secrets = (values: object): Manifest[] => render(values).filter(({ kind }) => kind === 'Secret');
    assert.deepEqual(
      secrets({ redis: { existingSecret: 'ours' }, coordinator: { existingSecret: 'ours' } }),
      [],
    );
  });
});
