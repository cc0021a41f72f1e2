// Ends a play that nobody attends to, where its run wants that: the coordinator is gone, or cannot be reached.
import type { PlayWarning } from '@capfleet/shared/contract/report';

const LOOK_MS = 1000;

export interface Attendance {
  end(): void;
}

export interface Attended {
  /** How long ago a coordinator was there, ms; null: too long to be known. Rejects, or never resolves, without Redis. */
  readonly attendedAgo: () => Promise<number | null>;
  readonly timeoutMs: number;
  readonly onOrphaned: () => void;
}

export const orphaned: PlayWarning = {
  kind: 'orphaned',
  message: 'no coordinator was there for longer than --orphan-timeout: the sensor stopped',
  advice: 'look for what became of it, and whether Redis can be reached from here',
};

export function watchAttendance({ attendedAgo, timeoutMs, onOrphaned }: Attended): Attendance {
  let last = performance.now();
  let isAsking = false;
  const look = (): void => {
    if (performance.now() - last >= timeoutMs) {
      clearInterval(timer);
      onOrphaned();
      return;
    }
    if (isAsking) return;
    isAsking = true;
    const asked = performance.now();
    attendedAgo()
      .then((ago) => {
        if (ago !== null && asked - ago > last) last = asked - ago;
      })
      .catch(() => undefined)
      .finally(() => (isAsking = false));
  };
  const timer = setInterval(look, Math.min(LOOK_MS, timeoutMs / 4));
  look();
  return {
    end: () => {
      clearInterval(timer);
    },
  };
}
