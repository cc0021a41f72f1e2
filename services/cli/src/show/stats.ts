// Lines of statistics on stderr while a replay runs, one every so many seconds, of all sensors together.
import { formatDuration } from '@capfleet/shared/time/nanos';
import { startLine, type ProgressBar } from './progress.ts';
import { formatBytes, formatCount } from './text.ts';
import { nothingYet, totalsOf, type RunProgress, type Totals } from './totals.ts';

const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/** @param seconds since `before` */
export function statsLine(phase: RunProgress['phase'], before: Totals, now: Totals, seconds: number): string {
  const packetRate = Math.round((now.sent - before.sent) / seconds);
  const megabits = (((now.sentBytes - before.sentBytes) * 8) / seconds / 1e6).toFixed(2);
  const parts = [
    `${phase} ${formatDuration(now.position)}`,
    `${formatCount(now.sent, 'packet')} sent (${formatBytes(now.sentBytes)})`,
    `${formatCount(now.refused)} not sent`,
    `${formatCount(packetRate)} packets/s`,
    `${megabits} Mbit/s`,
  ];
  return `${parts.join(', ')}\n`;
}

/** In the place of a progress bar. */
export function statsLines(stream: NodeJS.WritableStream, seconds: number): ProgressBar<RunProgress> {
  const start = startLine(stream);
  let state: RunProgress | null = null;
  let before = nothingYet;
  let since = performance.now();
  // A longer one, setInterval takes for 1 ms.
  const pause = Math.min(seconds * 1000, LONGEST_PAUSE_MS);
  const timer = setInterval(() => {
    if (!state) return;
    const [now, at] = [totalsOf(state), performance.now()];
    stream.write(statsLine(state.phase, before, now, (at - since) / 1000));
    [before, since] = [now, at];
  }, pause);
  return {
    update(next) {
      state = next;
      start.update(next);
    },
    stop() {
      clearInterval(timer);
    },
  };
}
