/**
 * The program as a person starts it, run to its end.
 */
import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

export const program = resolve(import.meta.dirname, '../../services/cli/bin/capfleet.mjs');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions extends SpawnOptions {
  /** Milliseconds after which it is killed; 60,000 when left out. */
  limit?: number;
  /** The whole command instead of `node capfleet.mjs`; the arguments follow it. */
  through?: readonly string[];
}

export async function runCapfleet(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { limit = 60_000, through = [process.execPath, program], ...spawnOptions } = options;
  const [command = '', ...before] = through;
  const child = spawn(command, [...before, ...args], {
    ...spawnOptions,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, stdout, stderr };
}
