// The coordinator's channel over Redis: registration as an expiring key, plans by BullMQ, words by streams.
import { setTimeout as sleep } from 'node:timers/promises';
import { UnrecoverableError, Worker } from 'bullmq';
import {
  HEARTBEAT_EXPIRES_MS,
  RUN_HOLD_MS,
  jobAddressSchema,
  prepareJobSchema,
  toSensorsSchema,
  type FromSensor,
  type ToSensors,
} from '@capfleet/shared/contract/agent-messages';
import {
  claimKey,
  fromSensorsKey,
  PREFIX,
  progressKey,
  RUN_KEYS_TTL_SECONDS,
  runOwnerKey,
  sensorKey,
  sensorQueue,
  toSensorsKey,
} from '@capfleet/shared/contract/keys';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import type { Logger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { parseEntry, readStream, throwRefused, type StreamEntry } from '@capfleet/shared/redis/stream';
import type { CoordinatorChannel } from '../ports/coordinator-channel.ts';

const FOLLOW_WAIT_MS = 1000;
/** A handful for each sensor, and room for strangers. */
const MOST_WORDS = 100_000;
/** Who comes late need not know how far a run was before. */
const MOST_PROGRESS = 10_000;

/** Ends with 0 where the name is another agent's; what is no registration is nobody's. */
const IS_TAKEN = `
local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'string' then
  local isJson, registration = pcall(cjson.decode, holder)
  local instance = isJson and type(registration) == 'table' and registration.instance
  if type(instance) == 'string' and instance ~= ARGV[1] then return 0 end
end`;

const REGISTER = `${IS_TAKEN}
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

const UNREGISTER = `${IS_TAKEN}
redis.call('DEL', KEYS[1])
return 1`;

/** Takes the claim unless it is another's of the same epoch or a later one. */
const CLAIM = `${IS_TAKEN}
local held = redis.pcall('GET', KEYS[2])
if type(held) == 'string' and held ~= ARGV[2] and tonumber(string.match(held, '^%d+') or 0) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
return 1`;

export function redisCoordinatorChannel(
  redis: string,
  identity: { readonly sensor: string; readonly instance: string },
  log: Logger,
): CoordinatorChannel {
  const { sensor, instance } = identity;
  const client = connect(redis, `replayer-${sensor}`, log);
  let worker: Worker | undefined;
  let following: AbortController | undefined;

  return {
    async register(registration) {
      const text = JSON.stringify(registration);
      const args = [sensorKey(sensor), instance, text, HEARTBEAT_EXPIRES_MS] as const;
      if ((await client.eval(REGISTER, 1, ...args)) !== 1) throw new Failure('sensor-taken', { sensor });
    },

    async onPlan(listener) {
      worker = new Worker(
        sensorQueue(sensor),
        (job) => {
          const parsed = prepareJobSchema.safeParse(job.data);
          if (parsed.success) {
            listener(parsed.data);
            return Promise.resolve();
          }
          const reason = parsed.error.issues
            .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
            .join('; ');
          log.error({ job: job.id, reason }, 'refused a plan that does not fit its schema');
          const error = new Failure('job-invalid', { queue: sensorQueue(sensor), reason });
          const address = jobAddressSchema.safeParse(job.data);
          if (address.success) {
            const { run, epoch } = address.data;
            say(run, { type: 'refused', sensor, epoch, error: error.toRecord() }).catch((thrown: unknown) => {
              log.error({ run, reason: reasonOf(thrown) }, 'telling the coordinator failed');
            });
          }
          throw new UnrecoverableError(error.message);
        },
        { connection: client, prefix: PREFIX },
      );
      worker.on('error', (error) => {
        log.warn({ reason: error.message }, 'plan queue');
      });
      await worker.waitUntilReady();
    },

    async claim(run, epoch) {
      const claim = `${String(epoch)} ${instance}`;
      const keys = [sensorKey(sensor), claimKey(run, sensor)];
      return (await client.eval(CLAIM, 2, ...keys, instance, claim, epoch, RUN_KEYS_TTL_SECONDS)) === 1;
    },

    async attendedAgo(run) {
      const left = await client.pttl(runOwnerKey(run));
      return left < 0 ? null : Math.max(0, RUN_HOLD_MS - left);
    },

    say,

    follow(run, listener) {
      following?.abort();
      following = new AbortController();
      void listen(run, listener, following.signal);
    },

    async close() {
      following?.abort();
      await worker?.close();
      await client.eval(UNREGISTER, 1, sensorKey(sensor), instance);
      client.disconnect();
    },
  };

  async function say(run: string, message: FromSensor): Promise<void> {
    const [key, most] =
      message.type === 'progress' ? [progressKey(run), MOST_PROGRESS] : [fromSensorsKey(run), MOST_WORDS];
    const replies = await client
      .multi()
      .xadd(key, 'MAXLEN', '~', most, '*', 'message', JSON.stringify(message))
      .expire(key, RUN_KEYS_TTL_SECONDS)
      .exec();
    throwRefused(replies);
  }

  async function listen(
    run: string,
    listener: (message: ToSensors) => void,
    ended: AbortSignal,
  ): Promise<void> {
    const reader = connect(redis, `replayer-${sensor}-run`, log);
    const disconnect = (): void => {
      reader.disconnect();
    };
    // A read that waits would end with an answer only, which does not come from a Redis that is gone.
    ended.addEventListener('abort', disconnect, { once: true });
    let position = '0';
    do {
      try {
        const entries = await readStream(reader, toSensorsKey(run), position, FOLLOW_WAIT_MS);
        position = entries.at(-1)?.id ?? position;
        hear(run, entries, listener, ended);
      } catch (error) {
        if (ended.aborted) return;
        log.warn({ run, reason: reasonOf(error) }, 'reading the run');
        await sleep(FOLLOW_WAIT_MS);
      }
    } while (!ended.aborted);
  }

  function hear(
    run: string,
    entries: readonly StreamEntry[],
    listener: (message: ToSensors) => void,
    ended: AbortSignal,
  ): void {
    for (const { id, fields } of entries) {
      if (ended.aborted) return;
      const parsed = toSensorsSchema.safeParse(parseEntry(fields['message']));
      if (parsed.success) listener(parsed.data);
      else log.error({ run, id }, 'passed over a word that does not fit its schema');
    }
  }
}
