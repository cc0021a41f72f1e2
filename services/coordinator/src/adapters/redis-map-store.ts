// Mappings that were asked for, in Redis: records, states and journals as keys that expire, holds as keys that their
// holder renews.
import { RUN_HOLD_MS } from '@capfleet/shared/contract/agent-messages';
import {
  askedMapJournalKey,
  askedMapKey,
  askedMapOwnerKey,
  askedMapsKey,
  askedMapStateKey,
  askedMapStopKey,
  openMapsKey,
  RUN_KEYS_TTL_SECONDS,
} from '@capfleet/shared/contract/keys';
import { mapRecordSchema, mapStateSchema, waitingMap } from '@capfleet/shared/contract/map-record';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import type { AskedMap, MapStore } from '../ports/map-store.ts';
import { HOLDER_OF } from './holder.ts';
import { redisMapJournal } from './redis-map-journal.ts';

const HOLD = `${HOLDER_OF}
local owner = text(KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

const RELEASE = `${HOLDER_OF}
if text(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** @param holder differs for each coordinator */
export function redisMapStore(redis: string, holder: string, log: Logger): MapStore {
  const client = connect(redis, 'coordinator-maps', log);
  const oldest = (): number => Date.now() - RUN_KEYS_TTL_SECONDS * 1000;

  async function read(maps: readonly string[]): Promise<AskedMap[]> {
    if (maps.length === 0) return [];
    const [records, states] = await Promise.all([
      client.mget(maps.map(askedMapKey)),
      client.mget(maps.map(askedMapStateKey)),
    ]);
    return maps.flatMap((_, index) => {
      const record = mapRecordSchema.safeParse(parseEntry(records[index])).data;
      const state = mapStateSchema.safeParse(parseEntry(states[index])).data ?? waitingMap;
      return record ? [{ record, state }] : [];
    });
  }

  const release: MapStore['release'] = async (map) => {
    await client.eval(RELEASE, 1, askedMapOwnerKey(map), holder);
  };

  return {
    release,

    async hold(map) {
      return (await client.eval(HOLD, 1, askedMapOwnerKey(map), holder, RUN_HOLD_MS)) === 1;
    },

    async create(record) {
      const { map } = record;
      const all = client.multi();
      for (const key of [askedMapsKey, openMapsKey])
        all.zremrangebyscore(key, 0, oldest()).zadd(key, Date.now(), map);
      all.set(askedMapKey(map), JSON.stringify(record), 'EX', RUN_KEYS_TTL_SECONDS);
      throwRefused(await all.exec());
    },

    async load(map) {
      const [found] = await read([map]);
      if (!found) throw new Failure('map-unknown', { map });
      return found;
    },

    async list(most) {
      return read(await client.zrevrange(askedMapsKey, 0, most - 1));
    },

    async adrift() {
      const maps = await client.zrange(openMapsKey, oldest(), '+inf', 'BYSCORE');
      if (maps.length === 0) return [];
      const owners = await client.mget(maps.map(askedMapOwnerKey));
      return maps.filter((_, index) => owners[index] === null);
    },

    async show(map, state) {
      await client.set(askedMapStateKey(map), JSON.stringify(state), 'EX', RUN_KEYS_TTL_SECONDS);
    },

    async askToStop(map) {
      await client.set(askedMapStopKey(map), '1', 'EX', RUN_KEYS_TTL_SECONDS);
    },

    async isStopAsked(map) {
      return (await client.exists(askedMapStopKey(map))) === 1;
    },

    async finish(map, state) {
      const kept = await client
        .multi()
        .set(askedMapStateKey(map), JSON.stringify(state), 'EX', RUN_KEYS_TTL_SECONDS)
        .zrem(openMapsKey, map)
        .del(askedMapJournalKey(map))
        .exec();
      throwRefused(kept);
      await release(map);
    },

    journal: (map, stays) => redisMapJournal(client, askedMapJournalKey(map), map, stays),

    close() {
      client.disconnect();
    },
  };
}
