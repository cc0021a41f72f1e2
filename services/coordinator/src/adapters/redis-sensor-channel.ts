// Sensors over Redis: registrations as expiring keys, plans by BullMQ, words by streams, its TIME as the clock.
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import {
  fromSensorSchema,
  registrationSchema,
  type Registration,
} from '@capfleet/shared/contract/agent-messages';
import {
  fromSensorsKey,
  progressKey,
  PREFIX,
  RUN_KEYS_TTL_SECONDS,
  runOwnerKey,
  sensorKey,
  sensorKeyPattern,
  sensorQueue,
  toSensorsKey,
} from '@capfleet/shared/contract/keys';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { askTime, callKeyless, instantOf } from '@capfleet/shared/redis/keyless';
import { parseEntry, readStreams, type StreamEntry } from '@capfleet/shared/redis/stream';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import { TEXT_AT } from './holds.ts';

const LISTEN_MS = 250;

/** A coordinator that was away, and whose run another one has meanwhile, is not heard. */
const SAY = `${TEXT_AT}
local owner = text(KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('XADD', KEYS[2], '*', 'message', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1`;

/** @param holder differs for each coordinator */
export function redisSensorChannel(redis: string, holder: string, log: Logger): SensorChannel {
  const client = connect(redis, 'coordinator', log);
  const listener = connect(redis, 'coordinator-run', log);
  const positions = new Map<string, string>();
  let isClosed = false;

  return {
    async registrations(sensors) {
      const found = new Map<string, Registration>();
      for await (const keys of sensors ? [sensors.map(sensorKey)] : everySensorKey()) {
        for (const text of keys.length > 0 ? await client.mget(keys) : []) {
          const parsed = registrationSchema.safeParse(parseEntry(text));
          if (parsed.success) found.set(parsed.data.sensor, parsed.data);
        }
      }
      return found;
    },

    async prepare(sensor, job) {
      // A connection of its own for each sensor's queue would be one per sensor.
      const queue = new Queue(sensorQueue(sensor), { connection: client, prefix: PREFIX });
      queue.on('error', (error: Error) => {
        log.warn({ sensor, reason: error.message }, 'plan queue');
      });
      // One delivery; a plan that its agent takes too late is void (`validUntil`).
      await queue.add('prepare', job, {
        jobId: `${job.run}.${String(job.epoch)}`,
        attempts: 1,
        removeOnComplete: true,
        removeOnFail: true,
      });
      await queue.close();
    },

    async say(run, message) {
      const keys = [runOwnerKey(run), toSensorsKey(run)];
      const args = [holder, JSON.stringify(message), RUN_KEYS_TTL_SECONDS];
      const said = await client.eval(SAY, keys.length, ...keys, ...args).catch((error: unknown) => {
        const isRefused = error instanceof Error && error.name === 'ReplyError';
        throw isRefused ? new Failure('redis-refused', { reason: error.message }, { cause: error }) : error;
      });
      if (said !== 1) throw new Failure('run-taken', { run });
    },

    async listen(run, waitMs) {
      const entries = await read(run, waitMs);
      const parsed = entries.map(({ fields }) => fromSensorSchema.safeParse(parseEntry(fields['message'])));
      const first = parsed.findIndex(({ success }) => !success);
      if (first !== -1) {
        // In one line, however many a stranger wrote.
        const about = { run, id: entries[first]?.id, words: parsed.filter(({ success }) => !success).length };
        log.error(about, 'passed over words that do not fit their schema');
      }
      return parsed.flatMap(({ data }) => data ?? []);
    },

    async now() {
      return instantOf(await askTime(client));
    },

    close() {
      isClosed = true;
      client.disconnect();
      listener.disconnect();
      return Promise.resolve();
    },
  };

  /** A walk over all that is in Redis; in a cluster, over all of the one server that has Capfleet's keys. */
  async function* everySensorKey(): AsyncGenerator<string[]> {
    let cursor = '0';
    do {
      const step = ['MATCH', sensorKeyPattern, 'COUNT', '1000'];
      const [next, keys] = (await callKeyless(client, 'SCAN', cursor, ...step)) as [string, string[]];
      cursor = next;
      yield keys;
    } while (cursor !== '0');
  }

  /** Sensors play on while a stream cannot be read; whether they are there is seen by their registrations. */
  async function read(run: string, waitMs: number): Promise<StreamEntry[]> {
    const keys = [fromSensorsKey(run), progressKey(run)];
    const wait = Math.max(1, Math.min(LISTEN_MS, Math.floor(waitMs)));
    try {
      const read = await readStreams(
        listener,
        new Map(keys.map((key) => [key, positions.get(key) ?? '0'])),
        wait,
      );
      for (const [key, entries] of read) positions.set(key, entries.at(-1)?.id ?? '0');
      return [...read.values()].flat();
    } catch (error) {
      if (isClosed) return [];
      log.warn({ run, reason: reasonOf(error) }, 'reading the run');
      await sleep(LISTEN_MS);
      return [];
    }
  }
}
