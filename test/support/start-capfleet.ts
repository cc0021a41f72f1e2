/**
 * The program for as long as a test needs it: services that run until told, and commands that are disturbed on
 * their way. What is still there when the test is over is killed.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { program, type Ended } from './capfleet.ts';
import type { AfterHook } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const LONGEST_MS = 120_000;

export interface Running {
  readonly pid: number;
  /** What it said on standard output and error so far. */
  readonly output: { stdout: string; stderr: string };
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has ended; its streams may be held open by processes that it left behind. */
  readonly ended: Promise<Ended>;
  isRunning(): boolean;
  /** Waits until its standard error holds the text. */
  says(text: string, timeout?: number): Promise<void>;
}

export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** In that network namespace; `true`: in one of its own, as on a host without a network. */
  elsewhere?: string | true;
}

export function startCapfleet(t: AfterHook, args: readonly string[], options: StartOptions = {}): Running {
  // It ends with this process, however that ends.
  const { elsewhere, ...spawnOptions } = options;
  const where =
    elsewhere === undefined
      ? []
      : elsewhere === true
        ? ['unshare', '--net', '--']
        : ['nsenter', `--net=/run/netns/${elsewhere}`, '--'];
  const command = ['--pdeathsig', 'KILL', '--', ...where, process.execPath, program, ...args];
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn('setpriv', command, {
    ...spawnOptions,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  // What hangs must not hold up the whole file.
  const limit = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
  const closed = once(child, 'close');
  const ended = once(child, 'exit').then(async ([code, signal]: unknown[]): Promise<Ended> => {
    clearTimeout(limit);
    await Promise.race([closed, sleep(500)]);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...output };
  });
  t.after(async () => {
    if (isRunning()) child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    output,
    signal: (signal) => {
      child.kill(signal);
    },
    ended,
    isRunning,
    says: async (text, timeout = 20_000) => {
      const what = `"${text}" from capfleet ${args[0] ?? ''}`;
      await waitFor(what, () => output.stderr.includes(text) || !isRunning(), { timeout });
      if (!output.stderr.includes(text)) throw new Error(`${what}: it ended and said: ${output.stderr}`);
    },
  };
}

/** A mapper that is ready for jobs. */
export async function startMapper(
  t: AfterHook,
  redis: string,
  args: readonly string[] = [],
): Promise<Running> {
  const mapper = startCapfleet(t, ['mapper', '--redis', redis, ...args]);
  await mapper.says('mapper ready');
  return mapper;
}

/** The agent of a sensor, ready for plans; it sends into nothing unless another interface is given. */
export async function startReplayer(
  t: AfterHook,
  redis: string,
  sensor: string,
  args: readonly string[] = ['--interface', 'null'],
  options?: StartOptions,
): Promise<Running> {
  const agent = startCapfleet(t, ['replayer', '--redis', redis, '--sensor', sensor, ...args], options);
  await agent.says('replayer ready');
  return agent;
}

export const TOKEN = 'a-token-of-the-tests-0123456789';

/** A coordinator as a service, and where it listens; a port that is free unless another address is given. */
export async function startCoordinator(
  t: AfterHook,
  redis: string,
  {
    listen = '127.0.0.1:0',
    args: more = [],
    env = {},
  }: { listen?: string; args?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<Running & { readonly url: string }> {
  const args = ['coordinator', '--redis', redis, '--listen', listen, ...more];
  const running = startCapfleet(t, args, { env: { ...process.env, CAPFLEET_TOKEN: TOKEN, ...env } });
  await running.says('coordinator ready', 60_000);
  const [, url = ''] = /"address":"([^"]+)"/.exec(running.output.stderr) ?? [];
  return Object.assign(running, { url });
}
