// Whether Redis answers at all, and for a cluster also the server that has Capfleet's keys. Nothing is tried again here.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { PREFIX } from '../contract/keys.ts';
import { reasonOf } from '../errors/failure.ts';
import type { ServerOptions } from './connection-options.ts';
import type { HostPort } from './redis-url.ts';

/**
 * @param servers some of a cluster's, where it is one: the first that answers will do
 * @throws Error with the reason, or with those of all servers
 */
export async function answers(
  options: ServerOptions,
  servers: readonly HostPort[] | undefined,
  timeoutMs: number,
): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort(new Error(`no answer within ${String(timeoutMs)} ms`));
  }, timeoutMs);
  try {
    if (!servers) await ask(options, over.signal, (client) => client.ping());
    else await Promise.any(servers.map((server) => askCluster({ ...options, ...server }, over.signal)));
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    const reasons = new Set((error.errors as unknown[]).map(reasonOf));
    throw new Error([...reasons].join('; '), { cause: error });
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

async function ask<T>(
  options: ServerOptions,
  signal: AbortSignal,
  question: (client: Redis) => Promise<T>,
): Promise<T> {
  const client = new Redis({
    ...options,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
  // The reason comes out of connect(); without a listener the same error would also be printed.
  let last: unknown;
  client.on('error', (error: unknown) => (last = error));
  // Where the server refuses the database, the client goes on with the first one.
  const chosen = async (): Promise<unknown> => options.db !== undefined && client.select(options.db);
  // The client's own limits do not cover a server that accepts and then says nothing.
  const silence = once(signal, 'abort').then(() => {
    throw signal.reason;
  });
  try {
    return await Promise.race([
      client
        .connect()
        .then(chosen)
        .then(() => question(client)),
      silence,
    ]);
  } catch (error) {
    throw last instanceof Error ? last : error;
  } finally {
    client.disconnect();
  }
}

/** Asks a server of a cluster, and the one that it says to have the keys. */
async function askCluster(options: ServerOptions & HostPort, signal: AbortSignal): Promise<void> {
  const moved = await ask(options, signal, async (client) => {
    // Who is in no cluster has this command disabled, and says so.
    await client.cluster('INFO');
    return client.exists(PREFIX).then(() => null, movedTo);
  });
  if (moved) {
    // A server that does not know its own address is where it was found.
    const host = moved.host || options.host;
    await ask({ ...options, ...moved, host }, signal, (client) => client.exists(PREFIX));
  }
}

/** @throws what tells of no other server */
function movedTo(error: unknown): HostPort {
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(reasonOf(error)) ?? [];
  if (host === undefined) throw error;
  return { host, port: Number(port) };
}
