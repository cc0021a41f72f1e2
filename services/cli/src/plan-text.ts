// A plan as text: YAML with a few words for the reader at its top and at each sensor, or JSON.
import { extname } from 'node:path';
import { Document, isNode, parse } from 'yaml';
import { readWhole } from '@capfleet/shared/capture/byte-reader';
import { plansOf, type PlanDocument } from '@capfleet/shared/dataset/plan-file';
import { runDuration, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { errnoOf, Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import { formatDuration, formatInstant } from '@capfleet/shared/time/nanos';
import { formatCount } from './show/text.ts';

/** Room for a million files. */
const MOST_BYTES = 512 * 1024 * 1024;

/** @param path by whose extension it is JSON or YAML */
export function planText(plan: PlanDocument, path: string): string {
  if (isJson(path)) return `${JSON.stringify(plan, null, 2)}\n`;
  const document = new Document(plan, { aliasDuplicateObjects: false });
  document.commentBefore = ` ${headOf(plan)}`;
  const comment = (place: readonly unknown[], text: string): void => {
    const node = document.getIn(place, true);
    if (isNode(node)) node.commentBefore = ` ${text}`;
  };
  if (plan.byFlow) comment(['byFlow'], `${shareOf(plan.byFlow.files)}, shared by all sensors`);
  plan.sensors.forEach(({ files }, index) => {
    if (files) comment(['sensors', index], shareOf(files));
  });
  return document.toString({ lineWidth: 0 });
}

/** @throws Failure `plan-missing`, `plan-invalid`, `file-forbidden`, `s3-…` */
export async function loadPlan(path: string, source: Source): Promise<SensorPlan[]> {
  const text = await textOf(path, source).catch((thrown: unknown) => {
    if (!(thrown instanceof Failure)) throw thrown;
    if (thrown.code === 'file-missing') throw new Failure('plan-missing', { path }, { cause: thrown });
    if (thrown.code !== 'read-failed') throw thrown;
    const isFolder = errnoOf(thrown.cause) === 'EISDIR';
    const reason = isFolder ? 'it is a folder' : String(thrown.fields['reason']);
    throw new Failure('plan-invalid', { path, reason }, { cause: thrown });
  });
  return plansOf(parsed(text, path), path);
}

async function textOf(path: string, source: Source): Promise<string> {
  const file = await source.stat(path);
  if (file.size > MOST_BYTES) throw new Failure('plan-invalid', { path, reason: 'it is too long' });
  return (await readWhole(await source.open(file), file.size)).toString();
}

function parsed(text: string, path: string): unknown {
  try {
    return isJson(path) ? JSON.parse(text) : parse(text, { logLevel: 'error' });
  } catch (error) {
    const [reason = ''] = reasonOf(error).split('\n');
    // A YAML error shows the place below its first line, which ends in a colon for that.
    throw new Failure('plan-invalid', { path, reason: reason.replace(/:$/, '') }, { cause: error });
  }
}

function isJson(path: string): boolean {
  return extname(path).toLowerCase() === '.json';
}

function headOf({ timeline, set }: PlanDocument): string {
  const from = BigInt(timeline.base);
  const duration = runDuration(timeline);
  const time = duration === 0n ? '' : `, ${formatDuration(duration)} on the wire`;
  return `${set}: from ${formatInstant(from)} to ${formatInstant(from + BigInt(timeline.period))}${time}`;
}

function shareOf(files: SensorPlan['files']): string {
  const packets = files.reduce((sum, file) => sum + file.packets, 0);
  return `${formatCount(files.length, 'file')}, ${formatCount(packets, 'packet')}`;
}
