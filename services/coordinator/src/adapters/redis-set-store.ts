// Sets in Redis: the lines of each mapping as a list, beside it the picture of its time line, and one hash of what is known
// of them.
import { randomUUID } from 'node:crypto';
import type { ChainableCommander } from 'ioredis';
import { z } from 'zod';
import { setInfoSchema, setTimelineSchema, type SetInfo } from '@capfleet/shared/contract/api';
import { setLinesKey, setsKey, setTimelineKey } from '@capfleet/shared/contract/keys';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, throwRefused } from '@capfleet/shared/redis/stream';
import { SetTally } from '../domain/set-tally.ts';
import type { TimelinePicture } from '../domain/set-timeline.ts';
import type { SetStore } from '../ports/set-store.ts';

const BLOCK_CHARACTERS = 1024 ** 2;
const LINES_AT_ONCE = 500;
/** What is not whole by then never will be. */
const UPLOAD_SECONDS = 3600;
/** For those who still read what has been replaced. */
const GRACE_SECONDS = 600;

const entrySchema = z.object({ id: z.string(), info: setInfoSchema });
const pictureSchema = setTimelineSchema.omit({ set: true, kept: true });
type Entry = z.infer<typeof entrySchema>;

function leave(all: ChainableCommander, id: string): ChainableCommander {
  return all.expire(setLinesKey(id), GRACE_SECONDS).expire(setTimelineKey(id), GRACE_SECONDS);
}

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

  /** Of a mapping that was kept by a version without such pictures. */
  async function drawAgain(id: string, name: string): Promise<TimelinePicture> {
    const tally = new SetTally(name);
    for await (const line of linesAt(setLinesKey(id))) tally.line(line);
    const { timeline } = tally.end();
    await client.set(setTimelineKey(id), JSON.stringify(timeline));
    return timeline;
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
        const { info: known, timeline } = tally.end();
        const info: SetInfo = { ...known, kept: new Date().toISOString() };
        const before = entryOf(await client.hget(setsKey, name));
        const entry: Entry = { id, info };
        const all = client
          .multi()
          .persist(key)
          .set(setTimelineKey(id), JSON.stringify(timeline))
          .hset(setsKey, name, JSON.stringify(entry));
        if (before) leave(all, before.id);
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

    async timeline(name) {
      const { id, info } = await find(name);
      const kept = pictureSchema.safeParse(parseEntry(await client.get(setTimelineKey(id)))).data;
      return { info, picture: kept ?? (await drawAgain(id, name)) };
    },

    async remove(name) {
      const { id } = await find(name);
      throwRefused(await leave(client.multi().hdel(setsKey, name), id).exec());
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
