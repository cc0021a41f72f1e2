// Carries through what no other coordinator does: what is asked for here, and what has lost its coordinator, which is
// looked for once a second. Several keepers over one Redis share the work, since each piece of it has one holder.
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';

const LOOK_MS = 1000;
/** What cannot be carried on is not tried again sooner. */
const RETRY_MS = 5000;

export interface Keeper {
  /** Takes it up at once, where no other coordinator has it. */
  take(id: string): void;
  /** Gives all back as it is: another coordinator takes it up. */
  close(): Promise<void>;
}

export interface KeeperWorld {
  /** What is kept, as the log calls it: a run, a map. */
  readonly what: string;
  /** What nobody carries through. */
  readonly adrift: () => Promise<readonly string[]>;
  /**
   * From where it is to its end, in a word.
   * @throws Failure `…-taken` where another coordinator has it, and where `leave` is aborted
   */
  readonly carry: (id: string, leave: AbortSignal) => Promise<string>;
  readonly log: Logger;
}

export function keep({ what, adrift, carry, log }: KeeperWorld): Keeper {
  const leaving = new AbortController();
  const leave = leaving.signal;
  const carried = new Map<string, Promise<void>>();

  async function carryOne(id: string): Promise<void> {
    try {
      log.info({ [what]: id }, 'carrying it through');
      const outcome = await carry(id, leave);
      log.info({ [what]: id, outcome }, 'it is over');
    } catch (thrown) {
      if (leave.aborted || asFailure(thrown).code.endsWith('-taken')) return;
      log.error({ [what]: id, reason: reasonOf(thrown) }, 'carrying it through failed');
      await pause(RETRY_MS);
    }
  }

  function take(id: string): void {
    if (leave.aborted || carried.has(id)) return;
    carried.set(
      id,
      carryOne(id).finally(() => carried.delete(id)),
    );
  }

  async function look(): Promise<void> {
    while (!leave.aborted) {
      try {
        for (const id of await adrift()) take(id);
      } catch (thrown) {
        log.warn({ reason: reasonOf(thrown) }, `looking for any ${what}`);
      }
      await pause(LOOK_MS);
    }
  }

  const pause = (milliseconds: number): Promise<void> =>
    sleep(milliseconds, undefined, { signal: leave }).catch(() => undefined);
  const looking = look();
  return {
    take,
    async close() {
      leaving.abort(new Error('this coordinator ends'));
      await Promise.allSettled([looking, ...carried.values()]);
    },
  };
}
