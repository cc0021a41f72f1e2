// The metrics that every service has: of its process, and of its Redis.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export const METRICS_PREFIX = 'capfleet_';

export function serviceRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: METRICS_PREFIX });
  return registry;
}

export interface RedisGauges {
  /** @param roundTripMs of the latest answer; null: there is none */
  set(roundTripMs: number | null): void;
}

export function redisGauges(registry: Registry): RedisGauges {
  const registers = [registry];
  const up = new Gauge({ name: `${METRICS_PREFIX}redis_up`, help: 'Whether Redis answers', registers });
  const roundTrip = new Gauge({
    name: `${METRICS_PREFIX}redis_round_trip_seconds`,
    help: 'Time of one answer of Redis',
    registers,
  });
  return {
    set(roundTripMs) {
      up.set(roundTripMs === null ? 0 : 1);
      if (roundTripMs === null) roundTrip.remove();
      else roundTrip.set(roundTripMs / 1000);
    },
  };
}
