// Connections to Redis. The one place that knows which client it is and how it reconnects: without end, with a
// growing pause, because a service outlives restarts of its Redis.
import { Redis } from 'ioredis';
import { Failure, reasonOf } from '../errors/failure.ts';
import type { Logger } from '../log/logger.ts';
import { parseSentinelUrl } from './sentinel-url.ts';

const LONGEST_PAUSE_MS = 2000;

/**
 * @param url `redis://…`, `rediss://…`, `unix:/path/to/socket`, or that of sentinels (see sentinel-url.ts)
 * @param purpose named in the log, and as the connection's client name
 */
export function connect(url: string, purpose: string, log: Logger): Redis {
  const client = new Redis({ ...optionsOf(url), connectionName: `capfleet-${purpose}` });
  client.on('error', (error: unknown) => {
    log.warn({ reason: reasonOf(error), purpose }, 'redis connection');
  });
  return client;
}

/** The part of the client's options that Capfleet sets; BullMQ takes the same. */
export interface ConnectionOptions {
  readonly maxRetriesPerRequest: null;
  readonly retryStrategy: (attempt: number) => number;
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: Record<string, never>;
  /** Who knows which server is the master of that name. */
  readonly sentinels?: { readonly host: string; readonly port: number }[];
  readonly name?: string;
  readonly sentinelPassword?: string;
  readonly enableTLSForSentinelMode?: boolean;
}

/** Connection options for those who make their own connections (BullMQ). */
export function optionsOf(url: string): ConnectionOptions {
  const common = {
    // Commands wait for the connection to come back instead of failing.
    maxRetriesPerRequest: null,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
  };
  if (url.startsWith('unix:')) return { ...common, path: url.slice('unix:'.length) };
  const sentinel = parseSentinelUrl(url);
  if (sentinel) {
    const { tls, ...where } = sentinel;
    return { ...common, ...where, ...(tls && { tls: {}, enableTLSForSentinelMode: true }) };
  }
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    ...common,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  };
}

/** True where `connect` takes the text. */
export function isRedisUrl(url: string): boolean {
  if (url.startsWith('unix:')) return url.length > 'unix:'.length;
  if (parseSentinelUrl(url)) return true;
  try {
    const { protocol, hostname } = new URL(url);
    return (protocol === 'redis:' || protocol === 'rediss:') && hostname !== '';
  } catch {
    return false;
  }
}

/** The URL without its passwords, for logs and errors; also a text that was to be one. */
export function redactUrl(url: string): string {
  if (url.startsWith('unix:')) return url;
  return url.replace(/^([\w+]*:?\/*[^:@]*:).*@/s, '$1***@').replace(/(\?sentinel-password=).*/s, '$1***');
}

/** What must not be told of the URL: as it stands there, and as it is meant. */
export function secretsOfUrl(url: string): string[] {
  if (!isRedisUrl(url)) return [];
  const { password, sentinelPassword } = optionsOf(url);
  const typed = [/:\/\/[^:@/]*:([^@/]*)@/.exec(url)?.[1], /\?sentinel-password=(.+)$/.exec(url)?.[1]];
  return [...typed, password, sentinelPassword].flatMap((text) => (text ? [text] : []));
}

/**
 * Checks once that the server answers.
 * @throws Failure `redis-unreachable`
 */
export async function checkReachable(url: string, timeoutMs = 3000): Promise<void> {
  const client = new Redis({
    ...optionsOf(url),
    lazyConnect: true,
    connectTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
  // The reason comes out of connect(); without a listener the same error would also be printed.
  let last: unknown;
  client.on('error', (error: unknown) => (last = error));
  // The client's own limits do not cover a server that accepts and then says nothing.
  const silence = new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      reject(new Error(`no answer within ${String(timeoutMs)} ms`));
    }, timeoutMs).unref();
  });
  try {
    await Promise.race([client.connect().then(() => client.ping()), silence]);
  } catch (error) {
    throw new Failure(
      'redis-unreachable',
      { url: redactUrl(url), reason: reasonOf(last ?? error) },
      { cause: error },
    );
  } finally {
    client.disconnect();
  }
}
