// What a Redis URL says, as options of the client.
import { parseHostsUrl, type HostPort } from './hosts-url.ts';

export const LONGEST_PAUSE_MS = 2000;

/** The part of the client's options that Capfleet sets. */
export interface ServerOptions {
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
  readonly sentinels?: HostPort[];
  readonly name?: string;
  readonly sentinelPassword?: string;
  readonly enableTLSForSentinelMode?: boolean;
}

export interface ConnectionOptions extends ServerOptions {
  /** Some of a cluster, which know the others. */
  readonly servers?: HostPort[];
}

export function optionsOf(url: string): ConnectionOptions {
  const common = {
    // Commands wait for the connection to come back instead of failing.
    maxRetriesPerRequest: null,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
  };
  if (url.startsWith('unix:')) return { ...common, path: url.slice('unix:'.length) };
  const several = parseHostsUrl(url);
  if (several) {
    const { kind, hosts, tls, ...login } = several;
    if (kind === 'cluster') return { ...common, ...login, servers: hosts, ...(tls && { tls: {} }) };
    const secure = tls && { tls: {}, enableTLSForSentinelMode: true };
    return { ...common, ...login, sentinels: hosts, ...secure };
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
