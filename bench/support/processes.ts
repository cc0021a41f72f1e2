// Programs that a benchmark runs and watches: how long they take, what they use.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { allocatorEnvironment } from '@capfleet/shared/process/allocator';

export const ROOT = resolve(import.meta.dirname, '../..');
export const PROGRAM = join(ROOT, 'services/cli/bin/capfleet.mjs');

/** Runs a command to its end; gives the seconds from start to end. @throws where it fails */
export function timeCommand(
  command: string,
  args: readonly string[],
  allowed: readonly number[] = [0],
): number {
  const started = performance.now();
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = (performance.now() - started) / 1000;
  if (error) throw error;
  if (!allowed.includes(status ?? -1)) throw new Error(`${command} ended with ${status}: ${stderr}`);
  return seconds;
}

/** Runs a script of this folder that prints one JSON document, with the allocator that a mapper has. */
export function runScript(name: string, args: readonly string[]): Record<string, unknown> {
  const script = join(import.meta.dirname, name);
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...allocatorEnvironment, ...process.env },
  });
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

export function isInstalled(command: string): boolean {
  return spawnSync('which', [command]).status === 0;
}

/** A process that is watched while it runs. */
export class Watched {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';
  /** Seconds of processor time, and the largest resident size in bytes, as last seen. */
  cpu = 0;
  largest = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...allocatorEnvironment, ...process.env },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#timer = setInterval(() => {
      this.look();
    }, 50);
    this.ended = once(this.child, 'exit').then(([code]: unknown[]) => {
      clearInterval(this.#timer);
      return code as number | null;
    });
  }

  look(): void {
    try {
      const base = `/proc/${this.child.pid}`;
      const fields = readFileSync(`${base}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      this.cpu = (Number(fields[11]) + Number(fields[12])) / 100;
      const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`${base}/status`, 'utf8'))?.[1];
      this.largest = Math.max(this.largest, Number(peak ?? 0) * 1024);
    } catch {
      // It has just ended.
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }

  async says(text: string): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!this.stderr.includes(text)) {
      if (this.child.exitCode !== null || performance.now() > deadline)
        throw new Error(`it never said "${text}": ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A Redis without persistence that answers, its socket in the folder. */
export async function startRedis(folder: string): Promise<{ redis: Watched; url: string }> {
  const socket = join(folder, `redis-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const settings = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--dir',
    folder,
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ];
  const redis = new Watched('redis-server', settings);
  while (spawnSync('redis-cli', ['-s', socket, 'ping']).status !== 0) {
    if (redis.child.exitCode !== null) throw new Error(redis.stdout);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { redis, url: `unix:${socket}` };
}

/** Redis and mappers as a cluster has them, ready for jobs, each process on its own. */
export class Cluster {
  readonly redis: Watched;
  readonly mappers: readonly Watched[];
  readonly url: string;

  private constructor(redis: Watched, mappers: readonly Watched[], url: string) {
    this.redis = redis;
    this.mappers = mappers;
    this.url = url;
  }

  static async start(folder: string, mappers: number, args: readonly string[] = []): Promise<Cluster> {
    const { redis, url } = await startRedis(folder);
    const started = Array.from(
      { length: mappers },
      () =>
        new Watched(process.execPath, [PROGRAM, 'mapper', '--redis', url, '--log-level', 'info', ...args]),
    );
    await Promise.all(started.map((mapper) => mapper.says('mapper ready')));
    return new Cluster(redis, started, url);
  }

  /** Bytes that Redis has in use for data. */
  memory(): number {
    const socket = this.url.slice('unix:'.length);
    const { stdout } = spawnSync('redis-cli', ['-s', socket, 'info', 'memory'], { encoding: 'utf8' });
    return Number(/^used_memory:(\d+)/m.exec(stdout)?.[1] ?? 0);
  }

  /** Runs `capfleet map` on it. */
  map(args: readonly string[]): Watched {
    return new Watched(process.execPath, [PROGRAM, 'map', '--redis', this.url, '--json', ...args]);
  }

  async end(): Promise<void> {
    for (const mapper of this.mappers) await mapper.end();
    await this.redis.end();
  }
}
