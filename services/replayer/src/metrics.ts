// A replayer's figures for Prometheus. What its play thread counts anyway is read a few times a second, and added up over
// the plays; nothing is done per packet.
import { refusalCauses, type PlayResult } from '@capfleet/shared/contract/report';
import { behindRedis } from '@capfleet/shared/contract/wall-offset';
import { METRICS_PREFIX, serviceRegistry } from '@capfleet/shared/service/registry';
import { s3Metrics } from '@capfleet/shared/service/s3-metrics';
import type { WatchS3 } from '@capfleet/shared/source/s3/s3-connection';
import { Counter, Gauge, type Registry } from 'prom-client';
import { LatenessMetric } from './lateness-metric.ts';
import type { AgentMeters, AgentSight } from './meters.ts';
import type { Play, PlayProgress } from './play.ts';

const SECONDS_PER_NS = 1e-9;

export interface ReplayerMetrics {
  readonly registry: Registry;
  readonly meters: AgentMeters;
  /** Of the agent itself; its plays tell their own. */
  readonly watchS3: WatchS3;
  /** To be called before the registry is read. */
  readonly refresh: () => void;
}

/** @param look null while there is no agent yet */
export function replayerMetrics(sensor: string, look: () => AgentSight | null): ReplayerMetrics {
  const registry = serviceRegistry();
  registry.setDefaultLabels({ sensor });
  const named = <Label extends string = never>(
    name: string,
    help: string,
    ...labelNames: Label[]
  ): { name: string; help: string; labelNames: Label[]; registers: Registry[] } => ({
    name: `${METRICS_PREFIX}replayer_${name}`,
    help,
    labelNames,
    registers: [registry],
  });
  const sent = new Counter(named('packets_sent_total', 'Packets handed to the kernel'));
  const sentBytes = new Counter(named('bytes_sent_total', 'Bytes of those packets'));
  const refused = new Counter(
    named('packets_refused_total', 'Packets that were not sent, by cause', 'cause'),
  );
  const starved = new Counter(
    named('packets_starved_total', 'Packets that were overdue when they were read: reading was behind'),
  );
  const runs = new Counter(named('runs_total', 'Plays that ended here, by how', 'outcome'));
  const failures = new Counter(
    named('failures_total', 'Runs refused and plays broken down, by cause', 'code'),
  );
  const lateness = new LatenessMetric(
    named('lateness_seconds', 'From when packets were due to when the kernel had them'),
  );
  const busy = new Gauge(named('busy', 'Whether it belongs to a run'));
  const registered = new Gauge(named('registered_seconds', 'Since Redis last took its registration'));
  const up = new Gauge(named('interface_up', 'Whether its interface is up', 'interface'));
  const ringFilled = new Gauge(
    named('ring_filled_bytes', 'Read ahead for the play, of the ring of its packets'),
  );
  const ringSize = new Gauge(named('ring_size_bytes', 'Size of that ring'));
  const clockOffset = new Gauge(
    named('clock_offset_seconds', "Redis' clock less this host's wall clock, as measured for the latest run"),
  );
  const clockBound = new Gauge(named('clock_bound_seconds', 'How well that is known'));
  const startError = new Gauge(
    named(
      'start_error_seconds',
      'How late the first packet of the latest play was by the clock of this host',
    ),
  );
  const s3 = s3Metrics(registry);
  for (const cause of refusalCauses) refused.inc({ cause }, 0);

  /** What is counted already of a play. */
  const counted = new WeakMap<Play, PlayProgress>();
  const account = (play: Play): void => {
    const { progress } = play;
    const before = counted.get(play);
    counted.set(play, progress);
    sent.inc(progress.sent - (before?.sent ?? 0));
    sentBytes.inc(progress.sentBytes - (before?.sentBytes ?? 0));
    starved.inc(progress.starved - (before?.starved ?? 0));
    for (const cause of refusalCauses)
      refused.inc({ cause }, (progress.refusedBy[cause] ?? 0) - (before?.refusedBy[cause] ?? 0));
    s3.add(progress.s3, before?.s3 ?? []);
    if (progress.latenessSpread) lateness.add(progress.latenessSpread, before?.latenessSpread ?? null);
  };

  const refresh = (): void => {
    const sight = look();
    up.reset();
    for (const gauge of [ringFilled, ringSize, clockOffset, clockBound, registered]) gauge.remove();
    busy.set(sight?.run ? 1 : 0);
    if (!sight) return;
    registered.set(sight.registeredAgo / 1000);
    up.set({ interface: sight.interface }, sight.isUp ? 1 : 0);
    if (sight.clock) {
      const { behind, bound } = behindRedis(sight.clock);
      clockOffset.set(Number(behind) * SECONDS_PER_NS);
      clockBound.set(Number(bound) * SECONDS_PER_NS);
    }
    if (!sight.play) return;
    account(sight.play);
    ringFilled.set(sight.play.progress.ring.filled);
    ringSize.set(sight.play.progress.ring.size);
  };

  const meters: AgentMeters = {
    played(play: Play, result: PlayResult | null) {
      account(play);
      runs.inc({ outcome: result?.outcome ?? 'failed' });
      if (!result) return;
      refused.inc({ cause: 'stopped' }, result.accounts.refused.stopped);
      if (result.startError !== null) startError.set(Number(result.startError) * SECONDS_PER_NS);
      if (result.error) failures.inc({ code: result.error.code });
    },
    failed(code) {
      failures.inc({ code });
    },
  };
  return { registry, meters, watchS3: s3.watch, refresh };
}
