// What came of editing captures, for people and for programs.
import type { EditRefusal } from '../edit/edit-capture.ts';
import type { EditOutcome, EditResult } from '../edit/edit-captures.ts';
import { formatCount, formatTable, printable } from './text.ts';

const MOST_SHOWN = 20;

const causes: Readonly<Record<EditRefusal, string>> = {
  'link-type': 'of another link type',
  'header-cut': 'cut off in their header',
  'not-ethernet': 'of a kind that Ethernet does not carry',
  stamp: 'with a stamp that pcap cannot hold',
};

/** @param place where it was written, as the user named it */
export function showEditResult({ captures, totals, written }: EditResult, place: string): string {
  const { read, edited, refused } = totals;
  const head = `${formatCount(written, 'capture')} written to ${printable(place)}: ${formatCount(read, 'packet')} read, ${formatCount(edited)} edited, ${formatCount(totals.written - edited)} as they were\n`;
  const missing = (Object.keys(causes) as EditRefusal[])
    .filter((cause) => refused[cause] > 0)
    .map((cause) => `${formatCount(refused[cause], 'packet')} not written, ${causes[cause]}\n`)
    .join('');
  return `${head}${missing}${showTroubles(captures)}\nnext: capfleet map --source ${printable(place)} --file-suffix ""\n`;
}

function showTroubles(captures: readonly EditOutcome[]): string {
  const troubles = captures.flatMap((capture) => {
    if ('error' in capture) return [['  not written', printable(capture.error.message)]];
    const { path, cutOff } = capture;
    return cutOff ? [['  cut off', `${printable(path)}: ${printable(cutOff.message)}`]] : [];
  });
  const more =
    troubles.length > MOST_SHOWN ? `  … and ${formatCount(troubles.length - MOST_SHOWN)} more\n` : '';
  return troubles.length === 0 ? '' : `\n${formatTable(troubles.slice(0, MOST_SHOWN))}${more}`;
}

/** The result as `--json` prints it. */
export function editRecord({ captures, totals, written }: EditResult): object {
  return { captures: captures.length, written, totals, files: captures };
}
