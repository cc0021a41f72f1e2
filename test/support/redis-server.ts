/**
 * A real redis-server that belongs to one test: on a unix socket in a folder of its own, with or without an
 * append-only file, to be stopped, killed and started again at the same address. It is gone when the test is over.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { checkReachable } from '@capfleet/shared/redis/connect';
import { tempDir, type AfterHook } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

export interface RedisServer {
  readonly url: string;
  /** Ends the server in order; what is not in its append-only file is gone. */
  stop(): Promise<void>;
  /** Ends it the hard way, by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it at the same address; resolves when it answers. */
  start(): Promise<void>;
}

export interface RedisServerOptions {
  /** Keep every write in an append-only file, so that nothing is lost even by `kill`. */
  appendOnly?: boolean;
  /** Listens on a port of this host instead, for who has the password. */
  password?: string;
  /** The same, for the users of this file; `url` names none of them. */
  aclFile?: string;
}

export async function startRedis(t: AfterHook, options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await tempDir(t);
  const socket = join(folder, 'redis.sock');
  const { password, aclFile } = options;
  const port = password === undefined && aclFile === undefined ? 0 : await freePort();
  const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  const url = port === 0 ? `unix:${socket}` : `redis://${login}127.0.0.1:${port}`;
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    ...(password !== undefined && { requirepass: password }),
    ...(aclFile !== undefined && { aclfile: aclFile }),
    unixsocket: socket,
    dir: folder,
    save: '',
    logfile: join(folder, 'redis.log'),
    appendonly: options.appendOnly === true ? 'yes' : 'no',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ChildProcess | null = null;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  };
  const start = async (): Promise<void> => {
    // It ends with this process, however that ends.
    const command = ['--pdeathsig', 'KILL', '--', 'redis-server', ...args];
    server = spawn('setpriv', command, { stdio: 'ignore' });
    await once(server, 'spawn');
    await waitFor(
      'redis-server answers',
      async () => {
        if (server?.exitCode !== null) throw new Error(readFileSync(settings.logfile, 'utf8'));
        await checkReachable(url).catch((error: unknown) => {
          // That nobody is signed in is an answer, too.
          if (aclFile === undefined || !String(error).includes('NOAUTH')) throw error;
        });
        return true;
      },
      { timeout: 10_000 },
    );
  };
  t.after(() => end('SIGKILL'));
  await start();
  return { url, start, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
