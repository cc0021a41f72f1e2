// What `capfleet doctor` found, a line each, with the way out below.
import type { Finding } from '../doctor/judge-host.ts';
import { formatCount, printable } from './text.ts';

/** A check with a longer name (the path of a source) stands out of its column, and widens it for no other. */
const MOST = 24;

export function showFindings(findings: readonly Finding[]): string {
  const width = Math.min(MOST, Math.max(...findings.map(({ check }) => check.length)));
  const lines = findings.map(({ check, verdict, found, remedy }) => {
    const line = `${verdict.padEnd(7)}  ${printable(check).padEnd(width)}  ${printable(found)}\n`;
    return remedy === null ? line : `${line}${' '.repeat(9)}→ ${printable(remedy)}\n`;
  });
  const count = (verdict: Finding['verdict']): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  return `${lines.join('')}\n${formatCount(count('error'), 'error')}, ${formatCount(count('warning'), 'warning')}\n`;
}
