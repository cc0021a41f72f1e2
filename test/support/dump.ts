/** A dump as text in one piece. */
import type { DataSet } from '@capfleet/shared/dataset/dataset';
import { dumpText } from '@capfleet/shared/dataset/gophercap-json';

export async function writeDump(set: DataSet): Promise<string> {
  let text = '';
  for await (const piece of dumpText(set)) text += piece;
  return text;
}
