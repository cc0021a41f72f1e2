// A Redis of several hosts, as one URL; rediss+… is TLS for all. With sentinels, where NAME is what they call the master, and
// the user and password are the servers':
//   redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DB?sentinel-password=…
// and Redis Cluster, which has no numbered databases; any of its servers tells where the others are:
//   redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT

const FORM = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?]+)(.*)$/s;
const SENTINEL_REST = /^\/([^/?]+)(?:\/(\d+))?(?:\?sentinel-password=(.+))?$/;
const CLUSTER_REST = /^\/?$/;
const STANDARD_PORT = { sentinel: 26_379, cluster: 6379 } as const;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

interface Hosts {
  readonly hosts: HostPort[];
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
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

/** @returns null for what is no such URL */
export function parseHostsUrl(url: string): SentinelUrl | ClusterUrl | null {
  const parts = FORM.exec(url);
  if (!parts) return null;
  const [, protocol, kind, username, password, hosts = '', rest = ''] = parts;
  try {
    const common = {
      tls: protocol === 'rediss',
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
    };
    if (kind === 'cluster')
      return CLUSTER_REST.test(rest) ? { kind, hosts: parseHosts(hosts, kind), ...common } : null;
    const sentinel = SENTINEL_REST.exec(rest);
    if (!sentinel) return null;
    const [, name = '', db, sentinelPassword] = sentinel;
    return {
      kind: 'sentinel',
      hosts: parseHosts(hosts, 'sentinel'),
      ...common,
      name: decodeURIComponent(name),
      ...(db !== undefined && { db: Number(db) }),
      ...(sentinelPassword !== undefined && { sentinelPassword: decodeURIComponent(sentinelPassword) }),
    };
  } catch {
    return null;
  }
}

/** @throws URIError */
function parseHosts(hosts: string, kind: keyof typeof STANDARD_PORT): HostPort[] {
  return hosts.split(',').map((host) => {
    const url = URL.parse(`redis://${host}`);
    if (!url?.hostname) throw new URIError(`no host in ${hosts}`);
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? STANDARD_PORT[kind] : Number(url.port),
    };
  });
}
