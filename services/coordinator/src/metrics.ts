// A coordinator's figures for Prometheus: of the queue, the sensors, the runs, Redis, S3 and the API.
import { METRICS_PREFIX, redisGauges, serviceRegistry } from '@capfleet/shared/service/registry';
import { s3Metrics } from '@capfleet/shared/service/s3-metrics';
import { Gauge, Histogram, type Registry } from 'prom-client';

/** From an answer out of memory to a set of a million files. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.3, 1, 5, 30];

export type CoordinatorMetrics = ReturnType<typeof coordinatorMetrics>;

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
  const gauges = { ...clusterGauges(registers), redis: redisGauges(registry) };
  // It lists what is to be mapped.
  return { registry, requests, gauges, watchS3: s3Metrics(registry).watch };
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
