// Sees to it that a play which was away (its process stopped, its host asleep) does not go on by itself: by then another
// agent may have its place. The pacer sends as long as it holds a lease, and this renews it as long as nothing was away.
import type { Nanos } from '@capfleet/shared/time/nanos';
import type { Pacer } from './ports/pacer.ts';

/** Shorter than an agent that is away keeps its name, so that nobody else has it yet when the lease ends. */
export const LEASE: Nanos = 3_000_000_000n;
const RENEWAL_MS = 250;

export interface Lease {
  /** After a lapse: whose place it is has been asked, and the play goes on. */
  renew(): void;
  end(): void;
}

/** @param onLapse called once for each time away; nothing is sent until `renew` */
export function keepLease(pacer: Pick<Pacer, 'lease'>, now: () => Nanos, onLapse: () => void): Lease {
  let last = now();
  let lapsed = false;
  const renew = (): void => {
    last = now();
    lapsed = false;
    pacer.lease(last + LEASE);
  };
  renew();
  const timer = setInterval(() => {
    if (lapsed) return;
    if (now() - last < LEASE) {
      renew();
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
