// The journal of a mapping as a hash in Redis: maps by their number, in the order they came.
import { RUN_KEYS_TTL_SECONDS } from '@capfleet/shared/contract/keys';
import { fileMapSchema, type FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { RedisClient } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import type { MapJournal, Place } from '../ports/map-journal.ts';

const AT_ONCE = 500;

export async function redisMapJournal(
  client: RedisClient,
  key: string,
  request: string,
  stays: () => boolean,
): Promise<MapJournal> {
  let count = await client.hlen(key);

  function mapOf(text: string | null | undefined, index: number): FileMap {
    const parsed = fileMapSchema.safeParse(parseEntry(text));
    if (parsed.success) return parsed.data;
    throw new Failure('journal-failed', { path: key, reason: `entry ${String(index)} is no map` });
  }

  return {
    request,
    willStay: stays,

    async *entries() {
      for (let start = 0; start < count; start += AT_ONCE) {
        const indices = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, index) => start + index);
        const texts = await client.hmget(key, ...indices.map(String));
        for (const index of indices)
          yield { map: mapOf(texts[index - start], index), place: { offset: index, length: 1 } };
      }
    },

    async append(maps) {
      if (maps.length === 0) return [];
      const places = maps.map((_, index): Place => ({ offset: count + index, length: 1 }));
      const fields = maps.flatMap((map, index) => [String(count + index), JSON.stringify(map)]);
      throwRefused(
        await client
          .multi()
          .hset(key, ...fields)
          .expire(key, RUN_KEYS_TTL_SECONDS)
          .exec(),
      );
      count += maps.length;
      return places;
    },

    async read({ offset }) {
      return mapOf(await client.hget(key, String(offset)), offset);
    },
  };
}
