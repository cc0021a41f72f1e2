// What a Redis URL says, as options of the client.
import { clientSecurity, type ClientSecurity } from './client-certificate.ts';
import { parseRedisUrl, type HostPort } from './redis-url.ts';

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
  readonly tls?: ClientSecurity;
  /** Who knows which server is the master of that name. */
  readonly sentinels?: HostPort[];
  readonly name?: string;
  readonly sentinelPassword?: string;
  readonly enableTLSForSentinelMode?: boolean;
  readonly sentinelTLS?: ClientSecurity;
}

export interface ConnectionOptions extends ServerOptions {
  /** Some of a cluster, which know the others. */
  readonly servers?: HostPort[];
}

/**
 * @throws TypeError for what is no such URL
 * @throws Failure `redis-certificate-invalid`
 */
export function optionsOf(url: string): ConnectionOptions {
  const common = {
    // Commands wait for the connection to come back instead of failing.
    maxRetriesPerRequest: null,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
  };
  const parsed = parseRedisUrl(url);
  if (!parsed) throw new TypeError('no URL of a Redis');
  if (parsed.kind === 'socket') return { ...common, path: parsed.path };
  const { kind, hosts, tls, ...login } = parsed;
  const security = tls && clientSecurity(tls.client);
  const secure = security && { tls: security };
  switch (kind) {
    case 'server':
      return { ...common, ...login, ...hosts[0], ...secure };
    case 'cluster':
      return { ...common, ...login, servers: hosts, ...secure };
    case 'sentinel':
      return {
        ...common,
        ...login,
        sentinels: hosts,
        ...secure,
        ...(security && { enableTLSForSentinelMode: true, sentinelTLS: security }),
      };
  }
}
