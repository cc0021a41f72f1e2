// What a service asked of S3, for Prometheus.
import { Counter, type Registry } from 'prom-client';
import type { S3Requests } from '../source/s3/s3-requests.ts';
import { METRICS_PREFIX } from './registry.ts';

/** @returns counts what was asked since */
export function s3Metrics(registry: Registry): (requests: S3Requests, since: S3Requests) => void {
  const total = new Counter({
    name: `${METRICS_PREFIX}s3_requests_total`,
    help: 'Requests to S3, each attempt',
    labelNames: ['operation'],
    registers: [registry],
  });
  const errors = new Counter({
    name: `${METRICS_PREFIX}s3_errors_total`,
    help: 'Requests to S3 that failed, by HTTP status or the name of what broke',
    labelNames: ['operation', 'reason'],
    registers: [registry],
  });
  return (requests, since) => {
    for (const [index, { operation, failure, count }] of requests.entries()) {
      const more = count - (since[index]?.count ?? 0);
      total.inc({ operation }, more);
      if (failure !== null) errors.inc({ operation, reason: failure }, more);
    }
  };
}
