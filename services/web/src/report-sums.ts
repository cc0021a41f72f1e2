// Sums over the accounts of a report. Pure.
import type { Accounts } from '@capfleet/shared/contract/report';

export function refusedIn({ refused }: Accounts): number {
  return Object.values(refused).reduce((sum, packets) => sum + packets, 0);
}
