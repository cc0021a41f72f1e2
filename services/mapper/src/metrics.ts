// A mapper's figures for Prometheus, and what it serves them by. Every count is made once per job, file, request or read
// of a window; none per packet.
import { METRICS_PREFIX, serviceRegistry } from '@capfleet/shared/service/registry';
import { s3Metrics } from '@capfleet/shared/service/s3-metrics';
import type { WatchS3 } from '@capfleet/shared/source/s3/s3-connection';
import { isS3Path } from '@capfleet/shared/source/s3/s3-path';
import type { Source } from '@capfleet/shared/source/source';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MapperMeters } from './meters.ts';

/** From a file that is refused at its first bytes to one of a terabyte. */
const BUCKETS = [0.01, 0.05, 0.2, 1, 5, 20, 60, 300, 1200, 3600];

export interface MapperMetrics {
  readonly registry: Registry;
  readonly meters: MapperMeters;
  readonly watchS3: WatchS3;
  /** The same source, whose bytes are counted. */
  readonly metered: (source: Source) => Source;
}

export function mapperMetrics(): MapperMetrics {
  const registry = serviceRegistry();
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): Counter<Label> =>
    new Counter({ name: `${METRICS_PREFIX}${name}`, help, labelNames, registers: [registry] });
  const jobs = counter('mapper_jobs_total', 'Map jobs that ended here, by how', 'task', 'outcome');
  const stalled = counter('mapper_jobs_stalled_total', 'Jobs found that a mapper had left behind');
  const failures = counter('mapper_failures_total', 'Files that could not be mapped, by cause', 'code');
  const retries = counter(
    'mapper_retries_total',
    'Attempts that failed and are made again, by cause',
    'code',
  );
  const files = counter(
    'mapper_files_total',
    'Files and members of tarballs mapped, by what came out',
    'status',
  );
  const bytes = counter('mapper_file_bytes_total', 'Size of the files mapped, as they lie there');
  const read = counter('mapper_read_bytes_total', 'Bytes read, by where from', 'source');
  const packets = counter('mapper_packets_total', 'Packets in the files mapped');
  const active = new Gauge({
    name: `${METRICS_PREFIX}mapper_jobs_active`,
    help: 'Jobs at work now',
    registers: [registry],
  });
  const seconds = new Histogram({
    name: `${METRICS_PREFIX}mapper_job_seconds`,
    help: 'Time that jobs took, a file or a part of one each',
    labelNames: ['task'] as const,
    buckets: BUCKETS,
    registers: [registry],
  });
  for (const place of ['disk', 's3']) read.inc({ source: place }, 0);

  return {
    registry,
    meters: {
      begin() {
        const begun = performance.now();
        active.inc();
        return ({ task, outcome, code }) => {
          active.dec();
          jobs.inc({ task: task ?? 'unknown', outcome });
          if (code) (outcome === 'retried' ? retries : failures).inc({ code });
          if (task && outcome !== 'handed-back')
            seconds.observe({ task }, (performance.now() - begun) / 1000);
        };
      },
      mapped(map, isMember) {
        files.inc({ status: map.status });
        // A member's bytes are its tarball's.
        if (!isMember) bytes.inc(map.fileSize);
        if (map.status === 'failed') failures.inc({ code: map.error.code });
        else if (map.status !== 'archive') packets.inc(map.packets);
      },
      stalled: () => {
        stalled.inc();
      },
      givenUp: (code) => {
        failures.inc({ code });
      },
    },
    watchS3: s3Metrics(registry).watch,
    metered: (source) => ({
      list: (where, filter) => source.list(where, filter),
      stat: (path) => source.stat(path),
      async open(file, range) {
        const reader = await source.open(file, range);
        const place = { source: isS3Path(file.within?.path ?? file.path) ? 's3' : 'disk' };
        return {
          async read(target, offset, length) {
            const count = await reader.read(target, offset, length);
            read.inc(place, count);
            return count;
          },
          get consumed() {
            return reader.consumed;
          },
          close: () => reader.close(),
        };
      },
    }),
  };
}
