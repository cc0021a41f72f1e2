/** Runs a script in its own process and tells how that ended. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  /** From its first output to its end. */
  readonly ms: number;
}

export interface CaseOptions {
  /** Before the Node binary on the command line: ['unshare', '-n']. */
  readonly wrapper?: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly killAfterMs?: number;
}

export function runCase(script: URL, args: readonly string[], options: CaseOptions = {}): Promise<Ended> {
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    ...(options.nodeOptions ?? []),
    fileURLToPath(script),
    ...args,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.killAfterMs ?? 20_000);
    let output = '';
    let since = Number.NaN;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (output === '') since = performance.now();
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, output, ms: performance.now() - since });
    });
  });
}
