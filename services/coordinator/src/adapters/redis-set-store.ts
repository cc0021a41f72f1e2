// Sets in Redis: the lines of each mapping as a list, and one hash of what is known of them.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { setInfoSchema, type SetInfo } from '@capfleet/shared/contract/api';
import { setLinesKey, setsKey } from '@capfleet/shared/contract/keys';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import { SetTally } from '../domain/set-tally.ts';
import type { SetStore } from '../ports/set-store.ts';

const BLOCK_CHARACTERS = 1024 ** 2;
const LINES_AT_ONCE = 500;
/** What is not whole by then never will be. */
const UPLOAD_SECONDS = 3600;
/** For those who still read what has been replaced. */
const GRACE_SECONDS = 600;

const entrySchema = z.object({ id: z.string(), info: setInfoSchema });
type Entry = z.infer<typeof entrySchema>;

export function redisSetStore(redis: string, log: Logger): SetStore {
  const client = connect(redis, 'coordinator-sets', log);
  const entryOf = (text: string | null | undefined): Entry | null =>
    entrySchema.safeParse(parseEntry(text)).data ?? null;

  async function find(name: string): Promise<Entry> {
    const entry = entryOf(await client.hget(setsKey, name));
    if (!entry) throw new Failure('set-unknown', { set: name });
    return entry;
  }

  async function push(key: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    throwRefused(
      await client
        .multi()
        .rpush(key, ...lines)
        .expire(key, UPLOAD_SECONDS)
        .exec(),
    );
  }

  return {
    async put(name, lines) {
      const id = randomUUID();
      const key = setLinesKey(id);
      const tally = new SetTally(name);
      let block: string[] = [];
      let size = 0;
      try {
        for await (const line of lines) {
          tally.line(line);
          block.push(line);
          size += line.length;
          if (size < BLOCK_CHARACTERS && block.length < LINES_AT_ONCE) continue;
          await push(key, block);
          [block, size] = [[], 0];
        }
        await push(key, block);
        const info: SetInfo = { ...tally.end(), kept: new Date().toISOString() };
        const before = entryOf(await client.hget(setsKey, name));
        const entry: Entry = { id, info };
        const all = client.multi().persist(key).hset(setsKey, name, JSON.stringify(entry));
        if (before) all.expire(setLinesKey(before.id), GRACE_SECONDS);
        throwRefused(await all.exec());
        return info;
      } catch (thrown) {
        await client.del(key).catch(() => undefined);
        throw thrown;
      }
    },

    async list() {
      const entries = await client.hvals(setsKey);
      const infos = entries.flatMap((text) => entryOf(text)?.info ?? []);
      return infos.sort((a, b) => (a.set < b.set ? -1 : 1));
    },

    async info(name) {
      return (await find(name)).info;
    },

    async lines(name) {
      const { id } = await find(name);
      return linesAt(setLinesKey(id));
    },

    async remove(name) {
      const { id } = await find(name);
      const all = client.multi().hdel(setsKey, name).expire(setLinesKey(id), GRACE_SECONDS);
      throwRefused(await all.exec());
    },

    close() {
      client.disconnect();
    },
  };

  async function* linesAt(key: string): AsyncGenerator<string> {
    for (let start = 0; ; start += LINES_AT_ONCE) {
      const lines = await client.lrange(key, start, start + LINES_AT_ONCE - 1);
      yield* lines;
      if (lines.length < LINES_AT_ONCE) return;
    }
  }
}
