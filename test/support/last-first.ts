/**
 * Clean-up in the order in which things stand on one another: what was begun last is ended first. A test's own
 * hooks run in the order in which they were registered, so that a server would go before its clients.
 */
import type { AfterHook } from './temp-dir.ts';

export function lastFirst(t: AfterHook): AfterHook {
  const cleanings: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const clean of cleanings.reverse()) await clean();
  });
  return { after: (clean) => void cleanings.push(clean) };
}
