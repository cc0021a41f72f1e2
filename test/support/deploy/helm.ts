// Renders the chart with the helm of node_modules.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';

export const ROOT = resolve(import.meta.dirname, '../../..');
export const CHART = join(ROOT, 'deploy/chart');
const HELM = join(ROOT, 'node_modules/.bin/helm');

/** As Kubernetes sees it; what a test asks for is checked by it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Manifest = Record<string, any> & { readonly kind: string; readonly apiVersion: string };

/** Why the chart cannot be rendered here; false where it can. Its package has a binary for x86-64 only. */
export const withoutHelm: string | false =
  spawnSync(HELM, ['version']).status === 0 ? false : 'the helm of node_modules does not run on this machine';

/** The value sets of deploy/chart/ci, by name. */
export const valueSets: readonly string[] = readdirSync(join(CHART, 'ci')).sort();

export interface Rendering {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param values a file of deploy/chart/ci, or values themselves */
export function helm(words: readonly string[], values: string | object): Rendering {
  const folder = mkdtempSync(join(tmpdir(), 'capfleet-chart-'));
  try {
    const file = typeof values === 'string' ? join(CHART, 'ci', values) : join(folder, 'values.yaml');
    if (typeof values !== 'string') writeFileSync(file, stringify(values));
    // Neither settings nor caches of who runs the tests.
    const env = { PATH: process.env['PATH'], HOME: folder, HELM_NO_PLUGINS: '1' };
    const { status, stdout, stderr } = spawnSync(HELM, [...words, CHART, '--values', file], {
      encoding: 'utf8',
      env,
    });
    return { code: status, stdout, stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const rendered = new Map<string, string>();

/**
 * A value set is rendered once, so always as the same release.
 * @throws where helm refuses
 */
export function render(
  values: string | object,
  { release, namespace } = { release: 'lab', namespace: 'pcap' },
): Manifest[] {
  const kept = typeof values === 'string' ? rendered.get(values) : undefined;
  if (kept !== undefined) return manifestsIn(kept);
  const { code, stdout, stderr } = helm(['template', release, '--namespace', namespace], values);
  if (code !== 0) throw new Error(stderr);
  if (typeof values === 'string') rendered.set(values, stdout);
  return manifestsIn(stdout);
}

export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      const [error] = [...document.errors, ...document.warnings];
      if (error) throw error;
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

/** Pods that a manifest makes, with the component that they are. */
export function podOf(manifest: Manifest): Manifest | null {
  return manifest['spec']?.template?.spec ?? null;
}

export const componentOf = ({ metadata }: Manifest): string =>
  (metadata as { labels: Record<string, string> }).labels['app.kubernetes.io/component'] ?? '';

/** Policies that let nobody from another namespace to what a ServiceMonitor asks; none where there is no ServiceMonitor. */
export function unscraped(manifests: readonly Manifest[]): string[] {
  const asked = manifests
    .filter(({ kind }) => kind === 'ServiceMonitor')
    .flatMap(({ spec }): string[] => spec.endpoints.map(({ port }: { port: string }) => port));
  const served = new Set(
    manifests
      .filter(({ kind }) => kind === 'Service')
      .flatMap((one) => one['spec'].ports.map(({ name }: Manifest) => `${componentOf(one)} ${String(name)}`)),
  );
  return manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .flatMap((policy) =>
      asked
        .filter((port) => served.has(`${componentOf(policy)} ${port}`))
        .filter((port) => !policy['spec'].ingress.some((rule: Manifest) => admitsOthers(rule, port)))
        .map((port) => `${componentOf(policy)} ${port}`),
    );
}

function admitsOthers({ from, ports }: Manifest, wanted: string): boolean {
  return (
    ports.some(({ port }: { port: string }) => port === wanted) &&
    from.some((peer: object) => 'namespaceSelector' in peer || 'ipBlock' in peer)
  );
}

/** What `kubectl kustomize` makes of a folder; null where there is no kubectl. */
export function kustomize(folder: string): Manifest[] | null {
  if (spawnSync('kubectl', ['kustomize', '--help']).status !== 0) return null;
  return manifestsIn(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' }));
}
