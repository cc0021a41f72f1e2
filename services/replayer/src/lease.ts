// Sees to it that a play whose agent was away does not go on by itself: by then another agent may have its place. A play
// sends as long as it holds a lease, and the agent renews it as long as it was not away.
import type { Nanos } from '@capfleet/shared/time/nanos';

/** Shorter than an agent that is away keeps its name, so that nobody else has it yet when the lease ends. */
export const LEASE: Nanos = 3_000_000_000n;
const RENEWAL_MS = 250;

export interface Lease {
  /** After a lapse: the place was its own at that instant, and the play goes on. */
  renew(asked: Nanos): void;
  end(): void;
}

export interface LeaseHolder {
  /** CLOCK_MONOTONIC, ns. */
  readonly now: () => Nanos;
  readonly grant: (until: Nanos) => void;
  /** Called once for each time away; nothing is granted until `renew`. */
  readonly onLapse: () => void;
}

export function keepLease({ now, grant, onLapse }: LeaseHolder): Lease {
  let last = 0n;
  let lapsed = false;
  const renew = (from: Nanos): void => {
    last = from;
    lapsed = false;
    grant(from + LEASE);
  };
  renew(now());
  const timer = setInterval(() => {
    if (lapsed) return;
    const instant = now();
    if (instant - last < LEASE) {
      renew(instant);
      return;
    }
    lapsed = true;
    onLapse();
  }, RENEWAL_MS);
  return {
    renew,
    end: () => {
      clearInterval(timer);
    },
  };
}
