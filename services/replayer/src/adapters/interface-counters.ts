// What the kernel counts of the packets that leave an interface, in the network namespace of this thread (/sys may
// belong to another).
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InterfaceCounts } from '@capfleet/shared/contract/report';

/** Some drivers bring their counters up to date only once a second. */
export const COUNTERS_SETTLE_MS = 1500;
const SETTLE_PAUSE_MS = 50;

/** Since the interface was made; null where there is none. */
export function interfaceCounters(name: string): InterfaceCounts | null {
  const line = deviceTable()
    .split('\n')
    .find((text) => text.trimStart().startsWith(`${name}:`));
  if (line === undefined) return null;
  // Received: bytes packets errs drop fifo frame compressed multicast; sent: bytes packets errs drop …
  const [, packets, errors, dropped] = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .slice(8)
    .map(Number);
  if (packets === undefined || errors === undefined || dropped === undefined) return null;
  return { packets, errors, dropped };
}

function deviceTable(): string {
  try {
    return readFileSync('/proc/thread-self/net/dev', 'utf8');
  } catch {
    return '';
  }
}

/**
 * What left since `before`, once that is no less than was sent or the counters have had their time. Null where it can
 * not be told, because the interface is another one by now.
 */
export async function countersSince(
  name: string,
  before: InterfaceCounts | null,
  sent: number,
): Promise<InterfaceCounts | null> {
  if (before === null) return null;
  const deadline = performance.now() + COUNTERS_SETTLE_MS;
  for (;;) {
    const now = interfaceCounters(name);
    if (now === null || now.packets < before.packets) return null;
    const since = {
      packets: now.packets - before.packets,
      dropped: now.dropped - before.dropped,
      errors: now.errors - before.errors,
    };
    if (since.packets >= sent || performance.now() > deadline) return since;
    await sleep(SETTLE_PAUSE_MS);
  }
}
