// What Prometheus scrapes: the queue, the sensors, the runs, Redis, the API and the process. What lies in Redis is looked up
// when it is asked for, and left out while Redis does not answer.
import type { FastifyInstance } from 'fastify';
import { METRICS_PREFIX, redisGauges, serviceRegistry } from '@capfleet/shared/service/registry';
import { Gauge, Histogram, type Registry } from 'prom-client';
import { listRuns } from '../usecases/list-runs.ts';
import type { ApiWorld } from './api-world.ts';

const SECONDS_PER_NS = 1e-9;
/** From an answer out of memory to a set of a million files. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.3, 1, 5, 30];
const RUNS_LOOKED_AT = 1000;

type Gauges = ReturnType<typeof coordinatorMetrics>['gauges'];
type Watched = Pick<ApiWorld, 'health' | 'channel' | 'store' | 'mapQueue' | 'startSkew'>;

export function serveMetrics(app: FastifyInstance, world: Watched): void {
  const { registry, requests, gauges } = coordinatorMetrics();
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    const labels = { method, route: routeOptions.url ?? 'none', status: String(reply.statusCode) };
    requests.observe(labels, reply.elapsedTime / 1000);
    done();
  });
  // Anybody may ask; one look is enough for all who ask meanwhile.
  let looking: Promise<void> | null = null;
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    await (looking ??= look(world, gauges).finally(() => (looking = null)));
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

export function coordinatorMetrics() {
  const registry = serviceRegistry();
  const registers = [registry];
  const requests = new Histogram({
    name: `${METRICS_PREFIX}http_request_seconds`,
    help: 'Time that requests took, by route',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS,
    registers,
  });
  return { registry, requests, gauges: { ...clusterGauges(registers), redis: redisGauges(registry) } };
}

function clusterGauges(registers: Registry[]) {
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
  ): Gauge<Label> =>
    new Gauge({ name: `${METRICS_PREFIX}${name}`, help, labelNames: [...labelNames], registers });
  return {
    jobs: gauge('map_jobs', 'Map jobs, by state', ['state']),
    runs: gauge('runs', 'Runs of the last day, by state', ['state']),
    sensors: gauge('sensors', 'Sensors that have an agent', []),
    busy: gauge('sensor_busy', 'Whether the sensor belongs to a run', ['sensor']),
    interfaceUp: gauge('sensor_interface_up', "Whether the sensor's interface is up", ['sensor']),
    startSkew: gauge(
      'run_start_skew_seconds',
      'How far apart the sensors of the latest run that this coordinator carried through started',
      [],
    ),
    startSkewBound: gauge('run_start_skew_bound_seconds', 'How well that is known', []),
    clockBound: gauge('sensor_clock_bound_seconds', 'How well the clock of a sensor that is busy is known', [
      'sensor',
    ]),
  };
}

async function look(
  { health, channel, store, mapQueue, startSkew: latestSkew }: Watched,
  { redis, jobs, runs, sensors, busy, interfaceUp, clockBound, startSkew, startSkewBound }: Gauges,
): Promise<void> {
  const roundTripMs = await health.check().catch(() => null);
  const found =
    roundTripMs !== null
      ? await Promise.all([mapQueue.read(), channel.registrations(), listRuns(store, RUNS_LOOKED_AT)])
      : null;
  // From here on at once: what is exposed meanwhile is whole.
  for (const each of [jobs, runs, busy, interfaceUp, clockBound]) each.reset();
  for (const each of [sensors, startSkew, startSkewBound]) each.remove();
  redis.set(roundTripMs);
  const skew = latestSkew();
  if (skew) {
    startSkew.set(Number(skew.measured) * SECONDS_PER_NS);
    startSkewBound.set(Number(skew.clockBound) * SECONDS_PER_NS);
  }
  if (!found) return;
  const [counts, registered, listed] = found;
  for (const [state, count] of Object.entries(counts)) jobs.set({ state }, count);
  for (const { state } of listed) runs.inc({ state });
  sensors.set(registered.size);
  for (const { sensor, busyWith, up: isUp, clock } of registered.values()) {
    busy.set({ sensor }, busyWith === null ? 0 : 1);
    interfaceUp.set({ sensor }, isUp ? 1 : 0);
    if (clock) clockBound.set({ sensor }, Number(clock.bound) * SECONDS_PER_NS);
  }
}
