/**
 * The program, run to its end: as a person starts it, or, where nothing but its arguments matters, its commands in
 * this process, which saves half a second of processor time each. What they start is real in both.
 */
import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { runProgram } from '@capfleet/cli/program';
import { allocatorEnvironment } from '@capfleet/shared/process/allocator';

const CLI = resolve(import.meta.dirname, '../../services/cli');
export const program = join(CLI, 'bin/capfleet.mjs');

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

/** Nothing but a process of its own, whose services log into its `stderr`. */
export const ownProcess: RunOptions = {};

/** In this process where no options are given. */
export async function runCapfleet(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return options ? startAndWait(args, options) : callHere(args);
}

async function startAndWait(args: readonly string[], options: RunOptions): Promise<Ended> {
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

async function callHere(args: readonly string[]): Promise<Ended> {
  const { version } = JSON.parse(readFileSync(join(CLI, 'package.json'), 'utf8')) as { version: string };
  Object.assign(process.env, allocatorEnvironment);
  // Services would be started with the options of the test runner.
  process.execArgv = [];
  let stdout = '';
  let stderr = '';
  const talk = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      stderr += text;
      done();
    },
  });
  const code = await runProgram(args, {
    stdout: { write: (text) => (stdout += text) },
    width: undefined,
    stderr: talk,
    interrupted: new AbortController().signal,
    onPause: () => undefined,
    program,
    version,
    stateDir: join(tmpdir(), 'capfleet-test-state'),
    environment: process.env,
    inherited: process.env,
    trust: () => undefined,
    lastWords: [],
  });
  return { code, signal: null, stdout, stderr };
}
