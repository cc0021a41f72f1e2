// Redis by way of sentinels, as one URL: redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME/DB?sentinel-password=…, where
// NAME is what the sentinels call the master, and the user and password are the servers'. rediss+sentinel:// is TLS for all.

const STANDARD_PORT = 26_379;
const FORM =
  /^(rediss?)\+sentinel:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?]+)\/([^/?]+)(?:\/(\d+))?(?:\?sentinel-password=(.+))?$/;

export interface SentinelUrl {
  readonly sentinels: { readonly host: string; readonly port: number }[];
  readonly name: string;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly sentinelPassword?: string;
}

/** @returns null for what is no such URL */
export function parseSentinelUrl(url: string): SentinelUrl | null {
  const parts = FORM.exec(url);
  if (!parts) return null;
  const [, protocol, username, password, hosts = '', name = '', db, sentinelPassword] = parts;
  const sentinels = hosts.split(',').map((host) => URL.parse(`redis://${host}`));
  try {
    return {
      sentinels: sentinels.map((sentinel) => {
        if (!sentinel?.hostname) throw new URIError(`no host in ${hosts}`);
        const { hostname, port } = sentinel;
        return {
          host: hostname.replace(/^\[|\]$/g, ''),
          port: port === '' ? STANDARD_PORT : Number(port),
        };
      }),
      name: decodeURIComponent(name),
      tls: protocol === 'rediss',
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(db !== undefined && { db: Number(db) }),
      ...(sentinelPassword !== undefined && { sentinelPassword: decodeURIComponent(sentinelPassword) }),
    };
  } catch {
    return null;
  }
}
