// What the chart makes has known fields only, of the right types; and the check of that finds every error that is seeded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { render, valueSets, withoutHelm, type Manifest } from '../support/deploy/helm.ts';
import { strictFindings } from '../support/deploy/strict-schema.ts';

const seeds: readonly [what: string, kind: string, seed: (manifest: Manifest) => void, found: RegExp][] = [
  [
    'a misspelt field of a container',
    'Deployment',
    ({ spec }) => (spec.template.spec.containers[0].readinesProbe = {}),
    /readinesProbe/,
  ],
  ['a field of another kind', 'DaemonSet', ({ spec }) => (spec.replicas = 2), /"replicas"' does not exist/],
  [
    'a wrong type',
    'Deployment',
    ({ spec }) => (spec.template.spec.hostNetwork = 'yes'),
    /'string' is not assignable to type 'boolean/,
  ],
  [
    'a number as the value of a variable',
    'Deployment',
    ({ spec }) => (spec.template.spec.containers[0].env[0].value = 8470),
    /'number' is not assignable/,
  ],
  [
    'a value that is none of an enumeration',
    'Deployment',
    ({ spec }) => (spec.template.spec.containers[0].imagePullPolicy = 'Sometimes'),
    /"Sometimes"/,
  ],
  ['a kind of Service that is none', 'Service', ({ spec }) => (spec.type = 'Internal'), /"Internal"/],
  ['what is missing', 'StatefulSet', ({ spec }) => delete spec.selector, /"selector"' is missing/],
  [
    'a misspelt field of KEDA',
    'ScaledObject',
    ({ spec }) => (spec.coolDownPeriod = 300),
    /"coolDownPeriod"' does not exist/,
  ],
  [
    'a wrong type of KEDA',
    'ScaledObject',
    ({ spec }) => (spec.triggers[0].metadata.listLength = 8),
    /'number' is not assignable to type 'string'/,
  ],
  [
    'a misspelt field of Prometheus',
    'ServiceMonitor',
    ({ spec }) => (spec.endpoints[0].intervall = '30s'),
    /"intervall"' does not exist/,
  ],
  [
    'an apiVersion that there is not',
    'Deployment',
    (one) => Object.assign(one, { apiVersion: 'apps/v9' }),
    /apps\/v9/,
  ],
];

test('all value sets make sound manifests, and every seeded error is found', { skip: withoutHelm }, () => {
  const sound = valueSets.flatMap((set) => render(set));
  assert.ok(sound.length > 80, String(sound.length));
  const seeded = seeds.map(([what, kind, seed]) => {
    const manifest = structuredClone(sound.find((one) => one.kind === kind));
    assert.ok(manifest, kind);
    seed(manifest);
    manifest['metadata'].name = what;
    return manifest;
  });
  const findings = strictFindings([...sound, ...seeded]);
  for (const [what, kind, , found] of seeds) {
    const [first = '', ...more] = findings.filter((line) => line.startsWith(`${kind} ${what}: `));
    assert.match(first, found, what);
    assert.deepEqual(more, [], what);
  }
  assert.equal(findings.length, seeds.length, findings.join('\n'));
});
