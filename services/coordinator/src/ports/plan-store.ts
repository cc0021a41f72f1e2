// The port to the plan documents that are kept, by name.
import type { PlanInfo } from '@capfleet/shared/contract/api';
import type { PlanDocument } from '@capfleet/shared/dataset/plan-file';
import type { Nanos } from '@capfleet/shared/time/nanos';

export interface PlanStore {
  /**
   * In the place of what has the name.
   * @param keepFor null: until it is removed
   */
  put(name: string, document: PlanDocument, keepFor: Nanos | null): Promise<void>;
  /** Those that are kept until they are removed, by name. */
  list(): Promise<readonly PlanInfo[]>;
  /** @throws Failure `plan-unknown` */
  get(name: string): Promise<PlanDocument>;
  /** @throws Failure `plan-unknown` */
  remove(name: string): Promise<void>;
  close(): void;
}
