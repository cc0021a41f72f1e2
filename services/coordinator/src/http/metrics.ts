// What Prometheus scrapes. What lies in Redis is looked up when it is asked for, and left out while Redis does not answer.
import type { FastifyInstance } from 'fastify';
import { reasonOf } from '@capfleet/shared/errors/failure';
import type { CoordinatorMetrics } from '../metrics.ts';
import { listRuns } from '../usecases/list-runs.ts';
import type { ApiWorld } from './api-world.ts';

const SECONDS_PER_NS = 1e-9;
const RUNS_LOOKED_AT = 1000;

type Gauges = CoordinatorMetrics['gauges'];
type Watched = Pick<ApiWorld, 'health' | 'channel' | 'store' | 'mapQueue' | 'startSkew' | 'metrics' | 'log'>;

export function serveMetrics(app: FastifyInstance, world: Watched): void {
  const { registry, requests, gauges } = world.metrics;
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

async function look(
  { health, channel, store, mapQueue, startSkew: latestSkew, log }: Watched,
  { redis, jobs, runs, sensors, busy, interfaceUp, clockBound, startSkew, startSkewBound }: Gauges,
): Promise<void> {
  const roundTripMs = await health.check().catch(() => null);
  // What a stranger put in the place of one of them does not hide the others.
  const seen = <Value>(what: Promise<Value>): Promise<Value | null> =>
    what.catch((error: unknown) => {
      log.warn({ reason: reasonOf(error) }, 'looking for what is measured');
      return null;
    });
  const [counts, registered, listed] =
    roundTripMs !== null
      ? await Promise.all([
          seen(mapQueue.read()),
          seen(channel.registrations()),
          seen(listRuns(store, RUNS_LOOKED_AT)),
        ])
      : [null, null, null];
  // From here on at once: what is exposed meanwhile is whole.
  for (const each of [jobs, runs, busy, interfaceUp, clockBound]) each.reset();
  for (const each of [sensors, startSkew, startSkewBound]) each.remove();
  redis.set(roundTripMs);
  const skew = latestSkew();
  if (skew) {
    startSkew.set(Number(skew.measured) * SECONDS_PER_NS);
    startSkewBound.set(Number(skew.clockBound) * SECONDS_PER_NS);
  }
  for (const [state, count] of Object.entries(counts ?? {})) jobs.set({ state }, count);
  for (const { state } of listed ?? []) runs.inc({ state });
  if (!registered) return;
  sensors.set(registered.size);
  for (const { sensor, busyWith, up: isUp, clock } of registered.values()) {
    busy.set({ sensor }, busyWith === null ? 0 : 1);
    interfaceUp.set({ sensor }, isUp ? 1 : 0);
    if (clock) clockBound.set({ sensor }, Number(clock.bound) * SECONDS_PER_NS);
  }
}
