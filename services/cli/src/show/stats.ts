// Lines of statistics on stderr while a replay runs, one every so many seconds, of all sensors together.
import type { RunState } from '@capfleet/coordinator/domain/run-state';
import { formatDuration } from '@capfleet/shared/time/nanos';
import type { ProgressBar } from './progress.ts';
import { formatBytes, formatCount } from './text.ts';

export interface Totals {
  readonly sent: number;
  readonly sentBytes: number;
  readonly refused: number;
  /** Of the sensor that is farthest, ns after the start. */
  readonly position: bigint;
}

export const nothingYet: Totals = { sent: 0, sentBytes: 0, refused: 0, position: 0n };

function totalsOf(state: RunState): Totals {
  let totals = nothingYet;
  for (const { progress } of state.sensors.values()) {
    if (!progress) continue;
    const position = BigInt(progress.position);
    totals = {
      sent: totals.sent + progress.sent,
      sentBytes: totals.sentBytes + progress.sentBytes,
      refused: totals.refused + progress.refused,
      position: position > totals.position ? position : totals.position,
    };
  }
  return totals;
}

/** @param seconds since `before` */
export function statsLine(phase: RunState['phase'], before: Totals, now: Totals, seconds: number): string {
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
export function statsLines(stream: NodeJS.WritableStream, seconds: number): ProgressBar<RunState> {
  let state: RunState | null = null;
  let before = nothingYet;
  let since = performance.now();
  const timer = setInterval(() => {
    if (!state) return;
    const [now, at] = [totalsOf(state), performance.now()];
    stream.write(statsLine(state.phase, before, now, (at - since) / 1000));
    [before, since] = [now, at];
  }, seconds * 1000);
  return {
    update(next) {
      state = next;
    },
    stop() {
      clearInterval(timer);
    },
  };
}
