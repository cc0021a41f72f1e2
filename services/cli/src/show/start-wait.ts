// A run that waits for its start: when that is, and how long until then by the clock of this host.
import { formatDuration, formatInstant, SECOND, type Nanos } from '@capfleet/shared/time/nanos';
import type { RunView } from '@capfleet/shared/contract/run-view';

export interface Waiting {
  readonly phase: RunView['phase'];
  /** RFC 3339, or ns on the reference clock; null until it is decided. */
  readonly start: string | Nanos | null;
}

/** As `starts at 2026-12-01T08:00:00Z, in 3 h 12 min`; null where no start is waited for. */
export function startWait({ phase, start }: Waiting, now = Date.now()): string | null {
  const waits = phase === 'committing' || phase === 'armed';
  if (!waits || start === null) return null;
  const text = typeof start === 'string' ? start : formatInstant(start);
  const seconds = Math.ceil((Date.parse(text) - now) / 1000);
  const until = seconds > 0 ? `, in ${formatDuration(BigInt(seconds) * SECOND)}` : '';
  return `starts at ${text.replace(/(\.\d*?)0+Z$/, '$1Z').replace('.Z', 'Z')}${until}`;
}

/** Whether it is worth a line of its own: longer than from a commit to its start, as a rule. */
export function isLongWait({ phase, start }: Waiting, now = Date.now()): boolean {
  if (startWait({ phase, start }, now) === null || start === null) return false;
  return Date.parse(typeof start === 'string' ? start : formatInstant(start)) - now > LONG_MS;
}

const LONG_MS = 3000;

/** What a run that is under way does, for a list of runs. */
export function phaseText(waiting: Waiting, now = Date.now()): string {
  switch (waiting.phase) {
    case 'waiting':
      return 'waits for its sensors';
    case 'committing':
    case 'armed':
      return startWait(waiting, now)?.replace('starts at', 'waits for its start at') ?? 'waits for its start';
    case 'ended':
      return 'under way';
    default:
      return waiting.phase;
  }
}
