// The port to the plan documents that are kept, by name.
import type { PlanInfo } from '@capfleet/shared/contract/api';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';

export interface PlanStore {
  /** In the place of what has the name. */
  put(name: string, document: PlanDocument): Promise<void>;
  /** By name. */
  list(): Promise<readonly PlanInfo[]>;
  /** @throws Failure `plan-unknown` */
  get(name: string): Promise<PlanDocument>;
  /** @throws Failure `plan-unknown` */
  remove(name: string): Promise<void>;
  close(): void;
}
