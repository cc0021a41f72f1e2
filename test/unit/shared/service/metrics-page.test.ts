// docs/metrics.md lists what every service counts, out of their registries (UPDATE_DOCS=1 writes it anew); names keep to
// the conventions of Prometheus.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { coordinatorMetrics } from '@capfleet/coordinator/metrics';
import { mapperMetrics } from '@capfleet/mapper/metrics';
import { replayerMetrics } from '@capfleet/replayer/metrics';
import { redisGauges, serviceRegistry } from '@capfleet/shared/service/registry';
import { assertWritten, cell } from '../../../support/written-docs.ts';

type Registry = ReturnType<typeof serviceRegistry>;

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const known = new Set(
  serviceRegistry()
    .getMetricsAsArray()
    .map(({ name }) => name),
);

/** Of a service, those of its process left out. */
async function described(registry: Registry): Promise<Described[]> {
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => !known.has(name))
    .map((metric) => {
      const { labelNames = [] } = metric as unknown as { labelNames?: readonly string[] };
      const labels = labelNames.filter((label) => label !== 'le');
      return { name: metric.name, help: metric.help, type: types.get(metric.name) ?? '', labels };
    });
}

function workerRegistry({ registry }: { registry: Registry }): Registry {
  redisGauges(registry);
  return registry;
}

const services: Readonly<Record<string, Registry>> = {
  coordinator: coordinatorMetrics().registry,
  mapper: workerRegistry(mapperMetrics()),
  replayer: workerRegistry(replayerMetrics('s', () => null)),
};

test('docs/metrics.md lists every metric of every service', async () => {
  const sections = await Promise.all(
    Object.entries(services).map(async ([service, registry]) => {
      const rows = (await described(registry)).map(({ name, type, labels, help }) => {
        const cells = [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
        return `| ${cells.map(cell).join(' | ')} |`;
      });
      return `## ${service}\n\n| metric | type | labels | |\n| --- | --- | --- | --- |\n${rows.join('\n')}`;
    }),
  );
  const head = `# Metrics and probes

The coordinator serves all of this where its API is; mappers and replayers where \`--metrics-listen\` says, and nowhere without
it. None of it needs a token, and it names sensors and interfaces: let the monitoring reach it, and nobody else.

| path | answer |
| --- | --- |
| \`/metrics\` | metrics in the text format of Prometheus |
| \`/livez\` | 200 as long as the process answers |
| \`/readyz\` | 200 while it can do its work; else 503, with what is missing in \`reasons\` |
| \`/healthz\` | of a worker as \`/readyz\`; of the coordinator whether Redis answers |

A service needs its Redis to be ready, a worker one that takes what is written (a full one answers, and takes nothing), a replayer also its interface, and its registration there. None has to be started
again when that comes back, or before its Redis is there: restart on \`/livez\` alone. Only a Redis that turns it away (a wrong
password, say) ends a service.

\`\`\`yaml
# Kubernetes, of a mapper with --metrics-listen 0.0.0.0:9470 and the default --grace of 20 s
livenessProbe: { httpGet: { path: /livez, port: 9470 } }
readinessProbe: { httpGet: { path: /readyz, port: 9470 } }
# of the pod
terminationGracePeriodSeconds: 30
\`\`\`

Counters and histograms begin with the process. Metrics of the process and of Node.js (\`capfleet_process_…\`,
\`capfleet_nodejs_…\`) are those of prom-client. All of a replayer have the label \`sensor\`. While Redis does not answer, what would have to be asked there is left out.

This page is made from the metrics themselves: \`UPDATE_DOCS=1 node --test test/unit/shared/service/metrics-page.test.ts\`.`;
  await assertWritten('metrics.md', `${[head, ...sections].join('\n\n')}\n`);
});

describe('the names of metrics', () => {
  for (const [service, registry] of Object.entries(services))
    test(`of the ${service} are those of Prometheus`, async () => {
      for (const { name, type, help } of await described(registry)) {
        assert.match(name, /^capfleet_[a-z][a-z0-9_]*$/);
        assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
        if (type === 'histogram') assert.match(name, /_(seconds|bytes)$/);
        assert.doesNotMatch(name, /_(ms|ns|us|milliseconds|kilobytes|percent)(_|$)/);
        assert.match(help, /^[A-Z].*[^.]$/);
      }
    });
});
