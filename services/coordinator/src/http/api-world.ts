// What the API works with.
import type { RunReport } from '@capfleet/shared/contract/report';
import type { Logger } from '@capfleet/shared/log/logger';
import type { Fence } from '@capfleet/shared/source/roots';
import type { CoordinatorMetrics } from '../metrics.ts';
import type { Health } from '../ports/health.ts';
import type { MapStore } from '../ports/map-store.ts';
import type { QueueBoard } from '../ports/queue-board.ts';
import type { QueueCounts } from '../ports/queue-counts.ts';
import type { PlanStore } from '../ports/plan-store.ts';
import type { RunStore } from '../ports/run-store.ts';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import type { SetStore } from '../ports/set-store.ts';
import type { Keeper } from '../usecases/keeper.ts';

export interface ApiWorld {
  readonly store: RunStore;
  readonly channel: Pick<SensorChannel, 'registrations' | 'now'>;
  readonly sets: SetStore;
  readonly plans: PlanStore;
  readonly keeper: Pick<Keeper, 'take'>;
  readonly maps: MapStore;
  readonly mapKeeper: Pick<Keeper, 'take'>;
  /** Where sources may lie. */
  readonly mayRead: Fence;
  readonly board: Pick<QueueBoard, 'pages' | 'show'>;
  readonly mapQueue: Pick<QueueCounts, 'read'>;
  /** Of the latest run that was carried through here; null before the first. */
  readonly startSkew: () => RunReport['startSkew'];
  readonly health: Health;
  readonly metrics: Pick<CoordinatorMetrics, 'registry' | 'requests' | 'gauges'>;
  /** Aborted when the service ends: who watches a run is let go. */
  readonly closing: AbortSignal;
  readonly token: string;
  /** Folder of the page's files; null: none is served. */
  readonly page: string | null;
  readonly version: string;
  readonly log: Logger;
}
