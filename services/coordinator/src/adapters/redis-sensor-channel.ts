// Sensors over Redis: registrations as expiring keys, plans by BullMQ, words by streams, its TIME as the clock.
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import {
  fromSensorSchema,
  registrationSchema,
  type FromSensor,
  type Registration,
} from '@capfleet/shared/contract/agent-messages';
import {
  fromSensorsKey,
  PREFIX,
  RUN_KEYS_TTL_SECONDS,
  runOwnerKey,
  sensorKeyPattern,
  sensorQueue,
  toSensorsKey,
} from '@capfleet/shared/contract/keys';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect, optionsOf } from '@capfleet/shared/redis/connect';
import { parseEntry, readStream, type StreamEntry } from '@capfleet/shared/redis/stream';
import { MICROSECOND, SECOND } from '@capfleet/shared/time/nanos';
import type { SensorChannel } from '../ports/sensor-channel.ts';
import { HOLDER_OF } from './holder.ts';

const LISTEN_MS = 250;

/** A coordinator that was away, and whose run another one has meanwhile, is not heard. */
const SAY = `${HOLDER_OF}
local owner = text(KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('XADD', KEYS[2], '*', 'message', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1`;

/** @param holder differs for each coordinator */
export function redisSensorChannel(redis: string, holder: string, log: Logger): SensorChannel {
  const client = connect(redis, 'coordinator', log);
  const listener = connect(redis, 'coordinator-run', log);
  const queues = new Map<string, Queue>();
  let position = '0';
  let isClosed = false;

  return {
    async registrations() {
      const found = new Map<string, Registration>();
      let cursor = '0';
      do {
        const [next, keys] = await client.scan(cursor, 'MATCH', sensorKeyPattern, 'COUNT', 1000);
        cursor = next;
        for (const text of keys.length > 0 ? await client.mget(keys) : []) {
          const parsed = registrationSchema.safeParse(parseEntry(text));
          if (parsed.success) found.set(parsed.data.sensor, parsed.data);
        }
      } while (cursor !== '0');
      return found;
    },

    async prepare(sensor, job) {
      const queue =
        queues.get(sensor) ??
        new Queue(sensorQueue(sensor), { connection: optionsOf(redis), prefix: PREFIX });
      queues.set(sensor, queue);
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
      const messages: FromSensor[] = [];
      for (const { id, fields } of await read(run, waitMs)) {
        position = id;
        const parsed = fromSensorSchema.safeParse(parseEntry(fields['message']));
        if (parsed.success) messages.push(parsed.data);
        else log.error({ run, id }, 'passed over a word that does not fit its schema');
      }
      return messages;
    },

    async now() {
      const [seconds = 0, micros = 0] = await client.time();
      return BigInt(seconds) * SECOND + BigInt(micros) * MICROSECOND;
    },

    async close() {
      isClosed = true;
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      client.disconnect();
      listener.disconnect();
    },
  };

  /** Sensors play on while a stream cannot be read; whether they are there is seen by their registrations. */
  async function read(run: string, waitMs: number): Promise<StreamEntry[]> {
    const wait = Math.max(1, Math.min(LISTEN_MS, Math.floor(waitMs)));
    try {
      return await readStream(listener, fromSensorsKey(run), position, wait);
    } catch (error) {
      if (isClosed) return [];
      log.warn({ run, reason: reasonOf(error) }, 'reading the run');
      await sleep(LISTEN_MS);
      return [];
    }
  }
}
