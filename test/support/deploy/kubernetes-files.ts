// deploy/kubernetes, made from the chart: what `kubectl apply -k` takes without Helm. Secrets are not in it (secrets.sh).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { render, ROOT, type Manifest } from './helm.ts';

const HEAD =
  '# Made from deploy/chart by `npm run build:kubernetes`. Changes belong there, or into an overlay of your own.\n';
const NAMESPACE = 'capfleet';

const base = {
  coordinator: { existingSecret: 'capfleet-coordinator' },
  redis: { existingSecret: 'capfleet-redis' },
  replayer: { agents: [{ name: 'main', interface: 'eth1' }] },
  // None of anybody's hosts (RFC 5737): which ones reach Redis is for an overlay to say.
  networkPolicy: { sensorHosts: ['192.0.2.0/24'] },
};

const components = {
  keda: { mapper: { autoscaling: { kind: 'keda' } } },
  monitoring: {
    metrics: { serviceMonitor: { enabled: true }, dashboard: { enabled: true } },
    networkPolicy: {
      ...base.networkPolicy,
      metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
    },
  },
};

/** The chart's users of Redis: those of every Redis, and KEDA's. A chart reads no file outside of it. */
export function usersOfChart(): string {
  return ['users.acl', 'keda.acl']
    .map((name) => readFileSync(join(ROOT, 'deploy/redis', name), 'utf8'))
    .join('');
}

/** Text by path below deploy/kubernetes. */
export function kubernetesFiles(): ReadonlyMap<string, string> {
  const plain = rendered(base);
  const files = new Map<string, string>([
    ['capfleet.yaml', documents([namespace(), ...plain])],
    [
      'kustomization.yaml',
      HEAD +
        stringify({
          apiVersion: 'kustomize.config.k8s.io/v1beta1',
          kind: 'Kustomization',
          namespace: NAMESPACE,
          resources: ['capfleet.yaml'],
        }),
    ],
  ]);
  for (const [name, values] of Object.entries(components)) {
    const { added, patches } = changes(plain, rendered({ ...base, ...values }));
    files.set(`components/${name}/${name}.yaml`, documents(added));
    files.set(
      `components/${name}/kustomization.yaml`,
      HEAD +
        stringify({
          apiVersion: 'kustomize.config.k8s.io/v1alpha1',
          kind: 'Component',
          resources: [`${name}.yaml`],
          ...(patches.length > 0 && { patches }),
        }),
    );
  }
  return files;
}

function rendered(values: object): Manifest[] {
  return render(values, { release: 'capfleet', namespace: NAMESPACE }).map((manifest) => {
    const { namespace: ofHelm, ...metadata } = manifest['metadata'];
    return withoutHelmLabels({ ...manifest, metadata }) as Manifest;
  });
}

/** Nothing of these is Helm's any more. */
function withoutHelmLabels(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutHelmLabels);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'helm.sh/chart' && key !== 'app.kubernetes.io/managed-by')
      .map(([key, inner]) => [key, withoutHelmLabels(inner)]),
  );
}

/** Replayers use the network of their hosts, which no other level allows. */
function namespace(): Manifest {
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
}

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${String(metadata.name)}`;

/** What another rendering has more, and how what it has as well is patched. */
function changes(before: readonly Manifest[], after: readonly Manifest[]) {
  const known = new Map(before.map((manifest) => [nameOf(manifest), manifest]));
  const added = after.filter((manifest) => !known.has(nameOf(manifest)));
  const patches = after.flatMap((manifest) => {
    const old = known.get(nameOf(manifest));
    if (!old || isDeepStrictEqual(old, manifest)) return [];
    const [from, to] = [old['spec'], manifest['spec']] as [Record<string, unknown>, Record<string, unknown>];
    const operations = [...new Set([...Object.keys(from), ...Object.keys(to)])]
      .filter((key) => !isDeepStrictEqual(from[key], to[key]))
      .map((key) =>
        key in to
          ? { op: key in from ? 'replace' : 'add', path: `/spec/${key}`, value: to[key] }
          : { op: 'remove', path: `/spec/${key}` },
      );
    return [
      {
        target: { kind: manifest.kind, name: String(manifest['metadata'].name) },
        patch: stringify(operations),
      },
    ];
  });
  return { added, patches };
}

function documents(manifests: readonly Manifest[]): string {
  return HEAD + manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
}
