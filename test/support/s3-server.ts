/**
 * The S3 server that all tests of one run share: a Ceph gateway of our own, or whatever CAPFLEET_TEST_S3_ENDPOINT names
 * (with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY). The runner of the tests starts it; when that is gone, however it
 * went, the server goes too.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const SCRIPT = resolve(import.meta.dirname, 'ceph-gateway.sh');
const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'radosgw'];
const START_LIMIT_MS = 180_000;
const ACCESS_KEY = 'CAPFLEETTESTKEY';
const SECRET_KEY = 'secret-of-the-capfleet-tests';

export interface S3Server {
  /** What the tests find in their environment. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** The server, or the reason why there is none. */
export async function startS3Server(): Promise<S3Server | string> {
  const missing = PROGRAMS.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0)
    return `no S3 server: ${missing.join(', ')} not installed (npm run setup tells more)`;
  // Sockets lie in it, and their paths must be short.
  const folder = mkdtempSync(join('/tmp', 'capfleet-s3-'));
  const [monitor, gateway] = await freePorts(2);
  const shell = spawn('sh', [SCRIPT, folder, String(monitor), String(gateway), ACCESS_KEY, SECRET_KEY], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  shell.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const close = async (): Promise<void> => {
    shell.stdin.end();
    if (shell.exitCode === null && shell.signalCode === null) await once(shell, 'exit');
  };
  const ready = await new Promise<boolean>((done) => {
    const limit = setTimeout(() => done(false), START_LIMIT_MS);
    createInterface(shell.stdout).on('line', (line) => {
      clearTimeout(limit);
      done(line === 'ready');
    });
    shell.stderr.on('data', () => done(false));
    shell.on('exit', () => done(false));
  });
  if (!ready) {
    await close();
    return `no S3 server: the Ceph gateway did not start: ${said.trim().split('\n').at(-1) ?? ''}`;
  }
  const env = {
    CAPFLEET_TEST_S3_ENDPOINT: `http://127.0.0.1:${String(gateway)}`,
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  };
  return { env, close };
}

async function freePorts(count: number): Promise<number[]> {
  // All are held until all are known, so that they differ.
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
