// Plans a set that is kept: who plays what of it.
import type { PlanRequest } from '@capfleet/shared/contract/api';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import type { FileMap } from '@capfleet/shared/dataset/file-map';
import { DumpReader } from '@capfleet/shared/dataset/gophercap-json';
import { planDocument, type PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { planReplay } from '@capfleet/shared/dataset/replay-plan';
import type { SetStore } from '../ports/set-store.ts';

/** @throws Failure `set-unknown`, and those of `planReplay` */
export async function planSet(
  sets: Pick<SetStore, 'lines'>,
  { set, request }: Pick<PlanRequest, 'set' | 'request'>,
): Promise<PlanDocument> {
  const reader = new DumpReader(set);
  const maps: FileMap[] = [];
  for await (const line of await sets.lines(set)) {
    const map = reader.line(line);
    if (map) maps.push(map);
  }
  for (const map of reader.end()) maps.push(map);
  return planDocument(planReplay(buildDataSet(maps), { ...request, filter: null }, set), set);
}
