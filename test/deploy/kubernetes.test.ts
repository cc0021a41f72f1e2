// deploy/kubernetes is what the chart makes, and `kubectl kustomize` takes it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';
import {
  CHART,
  kustomize,
  manifestsIn,
  render,
  ROOT,
  unscraped,
  withoutHelm,
  type Manifest,
} from '../support/deploy/helm.ts';
import { kubernetesFiles, usersOfChart } from '../support/deploy/kubernetes-files.ts';
import { strictFindings } from '../support/deploy/strict-schema.ts';
import { tempDir } from '../support/temp-dir.ts';

const FOLDER = join(ROOT, 'deploy/kubernetes');
const USERS = ['coordinator', 'mapper', 'replayer', 'keda'] as const;
const withoutKubectl = kustomize(FOLDER) === null ? 'there is no kubectl on this machine' : false;

test('the chart has the users of deploy/redis', () => {
  assert.equal(
    readFileSync(join(CHART, 'files/users.acl'), 'utf8'),
    usersOfChart(),
    'npm run build:kubernetes',
  );
});

test('deploy/kubernetes is what the chart makes', { skip: withoutHelm }, () => {
  for (const [path, text] of kubernetesFiles())
    assert.equal(readFileSync(join(FOLDER, path), 'utf8'), text, `${path}: npm run build:kubernetes`);
});

describe('kubectl kustomize', { skip: withoutKubectl }, () => {
  const of = (manifests: readonly Manifest[], kind: string, name: string): Manifest => {
    const found = manifests.find((one) => one.kind === kind && one['metadata'].name === name);
    assert.ok(found, `${kind} ${name}`);
    return found;
  };

  test('takes it, with both components and a patch on top', async (t) => {
    const folder = join(await tempDir(t), 'overlay');
    mkdirSync(folder);
    const overlay = {
      resources: [relative(folder, FOLDER)],
      components: ['keda', 'monitoring'].map((name) => relative(folder, join(FOLDER, 'components', name))),
      images: [{ name: 'capfleet/mapper', newName: 'registry.example.org/capfleet/mapper', newTag: '1' }],
      patches: [
        {
          target: { kind: 'NetworkPolicy', name: 'capfleet-redis' },
          patch: stringify([
            { op: 'replace', path: '/spec/ingress/0/from/2/ipBlock/cidr', value: '10.1.0.0/16' },
          ]),
        },
        ...[
          ['capfleet-coordinator', '1'],
          ['capfleet-mapper', '0'],
        ].map(([name = '', index = '']) => ({
          target: { kind: 'NetworkPolicy', name },
          patch: stringify([
            {
              op: 'replace',
              path: `/spec/ingress/0/from/${index}/namespaceSelector/matchLabels/kubernetes.io~1metadata.name`,
              value: 'prometheus',
            },
          ]),
        })),
      ],
    };
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(overlay));
    const plain = kustomize(FOLDER)!;
    const whole = kustomize(folder)!;
    assert.deepEqual(strictFindings([...plain, ...whole]), []);
    for (const { kind, metadata } of plain)
      assert.equal(metadata.namespace, kind === 'Namespace' ? undefined : 'capfleet');

    assert.equal(of(plain, 'Deployment', 'capfleet-mapper')['spec'].replicas, 2);
    const mapper = of(whole, 'Deployment', 'capfleet-mapper');
    assert.equal(mapper['spec'].replicas, undefined);
    assert.equal(mapper['spec'].template.spec.containers[0].image, 'registry.example.org/capfleet/mapper:1');
    assert.equal(of(whole, 'ScaledObject', 'capfleet-mapper')['spec'].minReplicaCount, 0);
    of(whole, 'ServiceMonitor', 'capfleet');
    assert.deepEqual(unscraped(whole), []);
    const prometheus = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'prometheus' } },
    };
    const scraped = ['coordinator', 'mapper'].map(
      (name) => of(whole, 'NetworkPolicy', `capfleet-${name}`)['spec'].ingress[0].from,
    );
    assert.deepEqual(scraped, [[{ podSelector: {} }, prometheus], [prometheus]]);
    const [{ from }] = of(whole, 'NetworkPolicy', 'capfleet-redis')['spec'].ingress;
    assert.deepEqual(from.slice(2), [
      { ipBlock: { cidr: '10.1.0.0/16' } },
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'keda' } } },
    ]);
  });
});

test('secrets.sh makes what the chart would make', { skip: withoutHelm }, () => {
  const run = (): Manifest[] =>
    manifestsIn(execFileSync('sh', [join(FOLDER, 'secrets.sh')], { encoding: 'utf8' }));
  const [token, redis] = run();
  const made = render({}, { release: 'capfleet', namespace: 'capfleet' }).filter(
    ({ kind }) => kind === 'Secret',
  );
  assert.deepEqual(strictFindings([token!, redis!]), []);
  for (const secret of [token!, redis!]) {
    const same = made.find(({ metadata }) => metadata.name === secret['metadata'].name);
    const keys = Object.keys(same?.['stringData'] ?? same?.['data']);
    assert.deepEqual(Object.keys(secret['stringData']).sort(), keys.sort());
  }
  const { 'users.acl': acl, ...values } = redis!['stringData'] as Record<string, string>;
  assert.equal(values['redis-username-keda'], 'keda');
  const passwords = USERS.map((user) => {
    const password = values[`redis-password-${user}`] ?? '';
    assert.match(password, /^[0-9a-f]{64}$/);
    const url = `redis://${user}:${password}@capfleet-redis.capfleet.svc:6379`;
    assert.equal(values[`redis-url-${user}`], user === 'keda' ? undefined : url);
    const hash = createHash('sha256').update(password).digest('hex');
    assert.match(acl ?? '', new RegExp(`^user ${user} on #${hash} ~`, 'm'));
    return password;
  });
  assert.equal(new Set(passwords).size, USERS.length);
  assert.doesNotMatch(acl ?? '', /PASSWORD/);
  assert.notDeepEqual(run(), [token, redis]);
});
