// Commands without a key. In a cluster they would go to any of its servers, each with a clock and keys of its own; by a script
// that names a key of Capfleet's they go to the server that has its keys, also when that becomes another one.
import { Cluster } from 'ioredis';
import { PREFIX } from '../contract/keys.ts';
import { MICROSECOND, SECOND } from '../time/nanos.ts';
import type { RedisClient } from './connect.ts';

const CALL = 'return redis.call(unpack(ARGV))';

export function callKeyless(client: RedisClient, command: string, ...args: string[]): Promise<unknown> {
  return client instanceof Cluster
    ? client.eval(CALL, 1, PREFIX, command, ...args)
    : client.call(command, ...args);
}

/** As Redis tells it: seconds, and microseconds within that second. */
export type RedisTime = readonly (number | string)[];

/** The clock of Redis, by one round trip. */
export function askTime(client: RedisClient): Promise<RedisTime> {
  return client instanceof Cluster ? (callKeyless(client, 'TIME') as Promise<RedisTime>) : client.time();
}

/** @returns ns since the epoch */
export function instantOf([seconds = 0, micros = 0]: RedisTime): bigint {
  return BigInt(seconds) * SECOND + BigInt(micros) * MICROSECOND;
}
