// What a service asked of S3, for Prometheus.
import { Counter, type Registry } from 'prom-client';
import type { WatchS3 } from '../source/s3/s3-connection.ts';
import type { S3Requests } from '../source/s3/s3-requests.ts';
import { METRICS_PREFIX } from './registry.ts';

export interface S3Metrics {
  /** Counts requests of this thread. */
  readonly watch: WatchS3;
  /** Counts what another thread asked since. */
  readonly add: (requests: S3Requests, since: S3Requests) => void;
}

export function s3Metrics(registry: Registry): S3Metrics {
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
  const count = (operation: string, failure: string | null, more: number): void => {
    total.inc({ operation }, more);
    if (failure !== null) errors.inc({ operation, reason: failure }, more);
  };
  return {
    watch(operation, failure) {
      count(operation, failure, 1);
    },
    add(requests, since) {
      for (const [index, each] of requests.entries())
        count(each.operation, each.failure, each.count - (since[index]?.count ?? 0));
    },
  };
}
