/** Certificates of one test, made by openssl. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface TlsFiles {
  /** Of a server at 127.0.0.1, and the authority of itself and of the client. */
  readonly ca: string;
  readonly key: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

export function makeTlsFiles(folder: string): TlsFiles {
  const [ca = '', key = '', clientCert = '', clientKey = '', request = ''] = [
    'ca.crt',
    'tls.key',
    'client.crt',
    'client.key',
    'client.csr',
  ].map((name) => join(folder, name));
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const fresh = (keyOut: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', keyOut];
  const site = ['-subj', '/CN=site', '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl('req', '-x509', '-days', '2', ...fresh(key), '-out', ca, ...site);
  openssl('req', ...fresh(clientKey), '-out', request, '-subj', '/CN=client');
  const signed = ['-CA', ca, '-CAkey', key, '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', request, ...signed, '-out', clientCert);
  return { ca, key, clientCert, clientKey };
}

/** Lines of a redis.conf: TLS and nothing else at that port. */
export function tlsOfRedis(port: number, { ca, key }: TlsFiles, asksClients: boolean): string[] {
  return [
    'port 0',
    `tls-port ${String(port)}`,
    `tls-cert-file ${ca}`,
    `tls-key-file ${key}`,
    `tls-ca-cert-file ${ca}`,
    `tls-auth-clients ${asksClients ? 'yes' : 'no'}`,
    'tls-replication yes',
  ];
}
