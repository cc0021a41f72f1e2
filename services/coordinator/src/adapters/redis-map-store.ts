// Mappings that were asked for, in Redis: records, states and journals as keys that expire, holds as keys that their
// holder renews.
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
import { redisHolds, type Holdable } from './holds.ts';
import { redisMapJournal } from './redis-map-journal.ts';

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

  const holds = redisHolds(client, holder);
  const holdable = (map: string): Holdable => ({
    id: map,
    owner: askedMapOwnerKey(map),
    leases: [],
    lists: [askedMapsKey, openMapsKey],
    kept: [askedMapKey, askedMapStateKey, askedMapStopKey, askedMapJournalKey].map((key) => key(map)),
  });
  const release: MapStore['release'] = (map) => holds.release(holdable(map));

  return {
    release,

    async hold(map) {
      return (await holds.take(holdable(map))) === null;
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
