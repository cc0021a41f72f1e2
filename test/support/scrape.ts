/** What Prometheus and Kubernetes ask a service for. */
import assert from 'node:assert/strict';
import type { Running } from './start-capfleet.ts';

/**
 * Values by name and labels, as they are exposed.
 * @param sensor of which all must be; they are then without that label
 */
export async function scrape(url: string, sensor?: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      const name = line.slice(0, space);
      return [sensor === undefined ? name : withoutSensor(name, sensor), Number(line.slice(space + 1))];
    }),
  );
}

function withoutSensor(name: string, sensor: string): string {
  const label = `sensor="${sensor}"`;
  assert.ok(name.includes(label), name);
  return name.replace(new RegExp(`,${label}|${label},?`), '').replace('{}', '');
}

/** Those whose name begins so, without the buckets of histograms. */
export function named(metrics: ReadonlyMap<string, number>, prefix: string): Record<string, number> {
  return Object.fromEntries(
    [...metrics].filter(([name]) => name.startsWith(prefix) && !name.includes('_bucket{')),
  );
}

export async function probe(
  url: string,
  path: '/livez' | '/readyz' | '/healthz',
): Promise<[status: number, body: { ready?: boolean; reasons?: string[]; alive?: true }]> {
  const response = await fetch(`${url}${path}`);
  return [response.status, (await response.json()) as { ready?: boolean; reasons?: string[] }];
}

export const SERVED = ['--metrics-listen', '127.0.0.1:0'];

/** Where a worker that was started with SERVED says that it serves its metrics. */
export async function metricsUrl(worker: Running): Promise<string> {
  await worker.says('metrics served');
  return /"address":"([^"]+)","msg":"metrics served"/.exec(worker.output.stderr)?.[1] ?? '';
}
