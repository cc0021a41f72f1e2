// Looks for known holes, high or critical ones, in the packages that are shipped (`npm audit`). Without an answer of the
// advisory service nothing is known, which is said aloud and fails nothing: a host may have no way to it.
import { spawnSync } from 'node:child_process';

interface Answer {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
  readonly message?: string;
}

const SEVERE = ['high', 'critical'];
const LONGEST_MS = 60_000;

const { stdout, stderr } = spawnSync('npm', ['audit', '--omit=dev', '--audit-level=high', '--json'], {
  encoding: 'utf8',
  timeout: LONGEST_MS,
});
const answer = parsed(stdout);
const counts = answer?.metadata?.vulnerabilities;
if (!counts) {
  const reason = answer?.message ?? stderr.trim().split('\n').at(-1) ?? 'no answer';
  console.error(`audit: NOT CHECKED, the advisory service cannot be reached: ${reason}`);
} else {
  const severe = Object.entries(answer.vulnerabilities ?? {}).filter(([, { severity }]) =>
    SEVERE.includes(severity),
  );
  for (const [name, { severity, range }] of severe) console.error(`audit: ${severity}: ${name} ${range}`);
  const told = Object.entries(counts).map(([severity, count]) => `${severity} ${count}`);
  console.log(`audit: advisories of shipped packages: ${told.join(', ')}`);
  if (SEVERE.some((severity) => (counts[severity] ?? 0) > 0)) process.exitCode = 1;
}

function parsed(text: string): Answer | null {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return null;
  }
}
