// What is in a tarball, and what came of extracting it, for people and for programs.
import { checkName } from '@capfleet/shared/archive/member-name';
import type { TarMember } from '@capfleet/shared/archive/tar-members';
import { formatInstant } from '@capfleet/shared/time/nanos';
import type { ExtractResult } from '../tar/extract-tarball.ts';
import { formatBytes, formatCount, formatTable, printable } from './text.ts';

const MOST_SHOWN = 20;
const SIZE_WIDTH = 15;
const TIME_WIDTH = 30;

export const listHeading = `matches ${'size'.padStart(SIZE_WIDTH)}  ${'modified'.padEnd(TIME_WIDTH)}  name\n`;

/** One line of a list that is printed while the tarball is read: columns are as wide as sizes and times get. */
export function memberLine(member: TarMember, matches: boolean): string {
  const record = memberRecord(member, matches);
  const size = formatCount(record.size).padStart(SIZE_WIDTH);
  const time = (record.modified ?? '-').padEnd(TIME_WIDTH);
  const note = record.refused === null ? '' : `  (not taken: ${record.refused})`;
  return `${(matches ? 'yes' : 'no').padEnd(7)} ${size}  ${time}  ${printable(record.name)}${note}\n`;
}

/** The same as a line of JSON. */
export function memberJson(member: TarMember, matches: boolean): string {
  return `${JSON.stringify(memberRecord(member, matches))}\n`;
}

interface MemberRecord {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** RFC 3339; null where the tarball tells none. */
  readonly modified: string | null;
  readonly matches: boolean;
  /** Why it would not be written although it matches. */
  readonly refused: string | null;
}

function memberRecord({ name, type, size, mtime }: TarMember, matches: boolean): MemberRecord {
  const isTaken = type === 'file' || type === 'folder';
  const refused = isTaken ? checkName(name).refused : `it is a ${type}`;
  return { name, type, size, modified: mtime === null ? null : formatInstant(mtime), matches, refused };
}

export function showExtractResult(result: ExtractResult, place: string, gzipped: boolean): string {
  const { members, matched, written, bytes } = result;
  const head = `${formatCount(written, 'file')} written to ${printable(place)} (${formatBytes(bytes)}); ${formatCount(matched)} of ${formatCount(members, 'member')} matched\n`;
  const next = `\nnext: capfleet map --source ${printable(place)}${gzipped ? '' : ' --file-suffix ""'}\n`;
  return head + showTroubles(result) + (written > 0 ? next : '');
}

function showTroubles({ troubles, damage }: ExtractResult): string {
  const rows = troubles.kept
    .slice(0, MOST_SHOWN)
    .map(({ kind, name, reason }) => [`  ${kind}`, printable(name), printable(reason)]);
  const more =
    troubles.total > rows.length ? `  … and ${formatCount(troubles.total - rows.length)} more\n` : '';
  const counts = troubles.counts.map(([kind, count]) => `${formatCount(count)} ${kind}`).join(', ');
  const list = rows.length === 0 ? '' : `\n${counts}:\n${formatTable(rows)}${more}`;
  return damage ? `${list}\n${printable(damage.message)}\n${printable(damage.hint)}\n` : list;
}

/** The result as `--json` prints it. */
export function extractRecord(result: ExtractResult, tarball: string, place: string): object {
  const { members, matched, written, bytes, troubles, damage } = result;
  return {
    tarball,
    outDir: place,
    members,
    matched,
    written,
    bytes,
    counts: Object.fromEntries(troubles.counts),
    /** The first thousand. */
    troubles: troubles.kept,
    damage: damage?.toRecord() ?? null,
  };
}
