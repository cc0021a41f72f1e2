// Where a Redis is, as one URL; rediss is TLS. A server, at a socket or an address:
//   unix:/path/to/socket
//   redis://USER:PASSWORD@HOST:PORT/DB
// sentinels, where NAME is what they call the master, and the user and password are the servers':
//   redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DB?sentinel-password=…
// and Redis Cluster, which has no numbered databases; any of its servers tells where the others are:
//   redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT
// A server that asks for a client's certificate: rediss…?cert=/path/client.crt&key=/path/client.key

const SEVERAL =
  /^(rediss?)\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?]+)([^?]*)(?:\?(.*))?$/s;
const SENTINEL_PATH = /^\/([^/]+)(?:\/(\d+))?$/;
const SERVER_PATH = /^\/?(\d*)$/;
const QUERY_NAMES = ['cert', 'key', 'sentinel-password'];
const STANDARD_PORT = { server: 6379, sentinel: 26_379, cluster: 6379 } as const;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** PEM files. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

interface Hosts {
  readonly hosts: HostPort[];
  /** Null: without TLS. */
  readonly tls: null | { readonly client: ClientCertificate | null };
  readonly username?: string;
  readonly password?: string;
}

interface SocketUrl {
  readonly kind: 'socket';
  readonly path: string;
}

interface ServerUrl extends Hosts {
  readonly kind: 'server';
  readonly db?: number;
}

interface SentinelUrl extends Hosts {
  readonly kind: 'sentinel';
  readonly name: string;
  readonly db?: number;
  readonly sentinelPassword?: string;
}

interface ClusterUrl extends Hosts {
  readonly kind: 'cluster';
}

export type RedisUrl = SocketUrl | ServerUrl | SentinelUrl | ClusterUrl;

/** @returns null for what is no such URL */
export function parseRedisUrl(url: string): RedisUrl | null {
  try {
    if (url.startsWith('unix:')) return parseSocket(url);
    const several = SEVERAL.exec(url);
    return several ? parseSeveral(several) : parseServer(url);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

function parseSocket(url: string): SocketUrl | null {
  const path = url.slice('unix:'.length);
  return path === '' ? null : { kind: 'socket', path };
}

/** @throws URIError */
function parseServer(text: string): ServerUrl | null {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '') return null;
  const path = SERVER_PATH.exec(url.pathname);
  const { sentinelPassword, ...login } = loginOf(url.protocol, url.username, url.password, url.search);
  if (!path || sentinelPassword !== undefined) return null;
  const [, db = ''] = path;
  return {
    kind: 'server',
    hosts: [hostOf(url, 'server')],
    ...login,
    ...(db !== '' && { db: Number(db) }),
  };
}

/** @throws URIError */
function parseSeveral([
  ,
  protocol = '',
  kind,
  username,
  password,
  hosts = '',
  path = '',
  query,
]: RegExpExecArray): SentinelUrl | ClusterUrl | null {
  const { sentinelPassword, ...login } = loginOf(protocol, username, password, query);
  if (kind === 'cluster') {
    if (!/^\/?$/.test(path) || sentinelPassword !== undefined) return null;
    return { kind, hosts: parseHosts(hosts, kind), ...login };
  }
  const sentinel = SENTINEL_PATH.exec(path);
  if (!sentinel) return null;
  const [, name = '', db] = sentinel;
  return {
    kind: 'sentinel',
    hosts: parseHosts(hosts, 'sentinel'),
    ...login,
    name: decodeURIComponent(name),
    ...(db !== undefined && { db: Number(db) }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
  };
}

type Login = Omit<Hosts, 'hosts'> & { readonly sentinelPassword?: string };

/** @throws URIError */
function loginOf(protocol: string, username = '', password = '', query = ''): Login {
  const { cert, key, 'sentinel-password': sentinelPassword } = parseQuery(query);
  const isTls = protocol.startsWith('rediss');
  if ((cert === undefined) !== (key === undefined) || (cert !== undefined && !isTls))
    throw new URIError('a certificate needs its key, and TLS');
  return {
    tls: isTls ? { client: cert !== undefined && key !== undefined ? { cert, key } : null } : null,
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
  };
}

/** A plus is a plus here, as in the rest of the URL. @throws URIError */
function parseQuery(text: string): Partial<Record<string, string>> {
  const pairs = text.replace(/^\?/, '').split('&').filter(Boolean);
  const entries = pairs.map((pair): [string, string] => {
    const [, name = '', value = ''] = /^([^=]+)=(.+)$/s.exec(pair) ?? [];
    if (!QUERY_NAMES.includes(name)) throw new URIError(`no parameter of Redis: ${name}`);
    return [name, decodeURIComponent(value)];
  });
  return Object.fromEntries(entries);
}

/** @throws URIError */
function parseHosts(hosts: string, kind: keyof typeof STANDARD_PORT): HostPort[] {
  return hosts.split(',').map((host) => {
    const url = URL.parse(`redis://${host}`);
    if (!url?.hostname) throw new URIError(`no host in ${hosts}`);
    return hostOf(url, kind);
  });
}

function hostOf({ hostname, port }: URL, kind: keyof typeof STANDARD_PORT): HostPort {
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? STANDARD_PORT[kind] : Number(port),
  };
}
