// Connections to Redis. The one place that knows which client it is and how it reconnects: without end, with a
// growing pause, because a service outlives restarts of its Redis.
import { Cluster, Redis } from 'ioredis';
import { Failure, reasonOf } from '../errors/failure.ts';
import type { Logger } from '../log/logger.ts';
import { answers } from './answers.ts';
import { LONGEST_PAUSE_MS, optionsOf, type ServerOptions } from './connection-options.ts';
import { parseRedisUrl, type HostPort } from './redis-url.ts';

/** In a cluster, until a command that found no server, or the wrong one, is tried again. */
const RETRY_MS = 200;
const MOVED_MS = 20;
/** A server whose host is gone without a word is left when the others have agreed on that. */
const REFRESH_MS = 15_000;

export type RedisClient = Redis | Cluster;

/**
 * @param url `redis://…`, `rediss://…`, `unix:/path/to/socket`, or that of sentinels or of a cluster (see redis-url.ts)
 * @param purpose named in the log, and as the connection's client name
 */
export function connect(url: string, purpose: string, log: Logger): RedisClient {
  const { servers, ...own } = optionsOf(url);
  const options = { ...own, connectionName: `capfleet-${purpose}` };
  const client = servers ? clusterOf(servers, options) : new Redis(options);
  client.on('error', (error: unknown) => {
    log.warn({ reason: reasonOf(error), purpose }, 'redis connection');
  });
  if (client instanceof Cluster) client.on('node error', nowAndThen(log, purpose));
  return client;
}

function clusterOf(servers: HostPort[], { retryStrategy, ...redisOptions }: ServerOptions): Cluster {
  return new Cluster(servers, {
    redisOptions,
    clusterRetryStrategy: retryStrategy,
    // Commands wait for another server to take over instead of failing.
    maxRedirections: Infinity,
    retryDelayOnFailover: RETRY_MS,
    retryDelayOnClusterDown: RETRY_MS,
    retryDelayOnTryAgain: RETRY_MS,
    retryDelayOnMoved: MOVED_MS,
    slotsRefreshInterval: REFRESH_MS,
    // Names stay names, which certificates are for, and one that is not found does not keep the others from being asked.
    dnsLookup: (host, found) => {
      found(null, host);
    },
  });
}

/** What each command that is tried again meets is the same for a while. */
function nowAndThen(log: Logger, purpose: string): (error: unknown, server: string) => void {
  const said = new Map<string, number>();
  return (error, server) => {
    const reason = reasonOf(error);
    const now = performance.now();
    if (now - (said.get(server + reason) ?? -Infinity) < LONGEST_PAUSE_MS) return;
    said.set(server + reason, now);
    log.warn({ reason, server, purpose }, 'redis connection');
  };
}

/** True where `connect` takes the text. */
export function isRedisUrl(url: string): boolean {
  return parseRedisUrl(url) !== null;
}

/** The URL without its passwords, for logs and errors; also a text that was to be one. */
export function redactUrl(url: string): string {
  if (url.startsWith('unix:')) return url;
  const own = url.search(/\?(?:cert|key|sentinel-password)=/);
  const [place, query] = own === -1 ? [url, ''] : [url.slice(0, own), url.slice(own)];
  const hidden = place
    .replace(/^((?:[\w+]*:\/+(?!\/))?[^:@]*:).*@/s, '$1***@')
    // Cut off before the host.
    .replace(/^([\w+]+:\/\/:)[^@]+$/s, '$1***');
  return (hidden + query).replace(/([?&](?!(?:cert|key)=)[^=&]*=).*/s, '$1***');
}

/** What must not be told of the URL: as it stands there, and as it is meant. */
export function secretsOfUrl(url: string): string[] {
  const parsed = parseRedisUrl(url);
  if (!parsed || parsed.kind === 'socket') return [];
  const { kind, password } = parsed;
  const sentinelPassword = kind === 'sentinel' ? parsed.sentinelPassword : undefined;
  const login = kind === 'server' ? /:\/\/[^:@/?#]*:([^/?#]*)@/ : /:\/\/[^:@/]*:([^@/]*)@/;
  const typed = [login.exec(url)?.[1], /[?&]sentinel-password=([^&]+)/.exec(url)?.[1]];
  return [...typed, password, sentinelPassword].flatMap((text) => (text ? [text] : []));
}

/**
 * Checks once that the server answers; of a cluster, the one that has Capfleet's keys.
 * @throws Failure `redis-unreachable`
 */
export async function checkReachable(url: string, timeoutMs = 3000): Promise<void> {
  const { servers, ...options } = optionsOf(url);
  try {
    await answers(options, servers, timeoutMs);
  } catch (error) {
    throw new Failure(
      'redis-unreachable',
      { url: redactUrl(url), reason: reasonOf(error) },
      { cause: error },
    );
  }
}
