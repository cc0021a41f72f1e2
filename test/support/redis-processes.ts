/** Several redis-servers of one test that know each other: masters, replicas, sentinels. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { AfterHook } from './temp-dir.ts';

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** @param lines of its redis.conf, beside those of its folder, which is made */
export function startRedisProcess(
  t: AfterHook,
  folder: string,
  lines: readonly string[],
  ...more: string[]
): ChildProcess {
  mkdirSync(folder);
  const file = join(folder, 'redis.conf');
  writeFileSync(
    file,
    [`dir ${folder}`, 'bind 127.0.0.1', `logfile ${folder}/log`, ...lines].join('\n') + '\n',
  );
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'redis-server', file, ...more], {
    stdio: 'ignore',
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  return child;
}

export async function killProcess(child: ChildProcess): Promise<void> {
  const dead = once(child, 'exit');
  child.kill('SIGKILL');
  await dead;
}
