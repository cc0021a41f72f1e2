// Holds: what is kept in Redis is carried through by one coordinator at a time, its holder, which renews its hold. As long
// as it is held, what is kept of it lives on for another day, however long it takes.
import { RUN_HOLD_MS } from '@capfleet/shared/contract/agent-messages';
import { RUN_KEYS_TTL_SECONDS } from '@capfleet/shared/contract/keys';
import type { RedisClient } from '@capfleet/shared/redis/connect';

/** Keys of something that can be held. */
export interface Holdable {
  readonly id: string;
  /** Names the holder. */
  readonly owner: string;
  /** What it has to itself meanwhile: each names the id. */
  readonly leases: readonly string[];
  /** Sorted sets that list it by the instant at which it was held last (ms). */
  readonly lists: readonly string[];
  /** What is kept of it. */
  readonly kept: readonly string[];
}

export interface Holds {
  /** Takes it, or renews it, and all its leases, or nothing. @returns null, or whose the first is that is another's */
  take(what: Holdable): Promise<null | 'owner' | { readonly lease: number; readonly of: string }>;
  /** Gives back what is its own. */
  release(what: Pick<Holdable, 'id' | 'owner' | 'leases'>): Promise<void>;
}

/** Lua: `text(key)` is what the key holds; nil where it holds no text, whatever a stranger put there. */
export const TEXT_AT = `
local function text(key)
  local held = redis.pcall('GET', key)
  if type(held) == 'string' then return held end
  return nil
end`;

/** KEYS: owner, leases, lists, kept; ARGV: holder, id, ms of the hold, now in ms, seconds to keep, leases, lists. */
const TAKE = `${TEXT_AT}
local owner = text(KEYS[1])
if owner and owner ~= ARGV[1] then return {0} end
local leases, lists = 1 + tonumber(ARGV[6]), 1 + tonumber(ARGV[6]) + tonumber(ARGV[7])
for index = 2, leases do
  local id = text(KEYS[index])
  if id and id ~= ARGV[2] then return {index - 1, id} end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
for index = 2, leases do redis.call('SET', KEYS[index], ARGV[2], 'PX', ARGV[3]) end
for index = leases + 1, lists do redis.call('ZADD', KEYS[index], 'XX', ARGV[4], ARGV[2]) end
for index = lists + 1, #KEYS do redis.call('EXPIRE', KEYS[index], ARGV[5]) end
return {}`;

/** KEYS: owner, leases; ARGV: holder, id. */
const RELEASE = `${TEXT_AT}
if text(KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  for index = 2, #KEYS do if text(KEYS[index]) == ARGV[2] then redis.call('DEL', KEYS[index]) end end
end`;

/** @param holder differs for each coordinator */
export function redisHolds(client: RedisClient, holder: string): Holds {
  return {
    async take({ id, owner, leases, lists, kept }) {
      const keys = [owner, ...leases, ...lists, ...kept];
      const times = [RUN_HOLD_MS, Date.now(), RUN_KEYS_TTL_SECONDS];
      const args = [holder, id, ...times, leases.length, lists.length];
      const [lease, of] = (await client.eval(TAKE, keys.length, ...keys, ...args)) as [number?, string?];
      if (lease === undefined) return null;
      return lease === 0 ? 'owner' : { lease: lease - 1, of: of ?? '' };
    },

    async release({ id, owner, leases }) {
      await client.eval(RELEASE, 1 + leases.length, owner, ...leases, holder, id);
    },
  };
}
