// What `capfleet doctor` found, a line each, with the way out below.
import type { Finding } from '../doctor/judge-host.ts';
import { formatCount, printable } from './text.ts';

export function showFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, verdict, found, remedy }) => {
    const line = `${verdict.padEnd(7)}  ${printable(check).padEnd(width)}  ${printable(found)}\n`;
    return remedy === null ? line : `${line}${' '.repeat(9 + width + 2)}→ ${printable(remedy)}\n`;
  });
  const count = (verdict: Finding['verdict']): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  return `${lines.join('')}\n${formatCount(count('error'), 'error')}, ${formatCount(count('warning'), 'warning')}\n`;
}
