// A redis-server of our own for one command: on a unix socket in a temporary folder, without persistence. A small
// shell watches it through a pipe: when this process ends, however it ends, the pipe closes, and the shell ends
// the server and removes the folder.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, reasonOf } from '@capfleet/shared/errors/failure';
import { checkReachable } from '@capfleet/shared/redis/connect';

const START_DEADLINE_MS = 10_000;
/** A unix socket's path may have 107 bytes. */
const LONGEST_FOLDER = 80;

const watcher = `
redis-server --port 0 --unixsocket "$1/redis.sock" --unixsocketperm 700 --dir "$1" --save '' --appendonly no \\
  --maxmemory-policy noeviction --logfile "$1/redis.log" --daemonize no &
server=$!
cat > /dev/null
kill "$server" 2> /dev/null
wait "$server" 2> /dev/null
rm -rf "$1"
`;

export interface PrivateRedis {
  readonly url: string;
  /** Ends the server and waits until its folder is gone. */
  close(): Promise<void>;
}

/** @throws Failure `redis-missing`, `redis-start` */
export async function startPrivateRedis(): Promise<PrivateRedis> {
  const parent = tmpdir().length > LONGEST_FOLDER ? '/tmp' : tmpdir();
  const folder = makeFolder(parent);
  // Its own process group: Ctrl-C must not end Redis before the report is written.
  const shell = spawn('sh', ['-c', watcher, 'capfleet-redis', folder], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  shell.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => shell.once('close', resolve));
  const close = async (): Promise<void> => {
    shell.stdin.end();
    await ended;
  };
  shell.stdin.on('error', () => undefined);

  const url = `unix:${join(folder, 'redis.sock')}`;
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      await checkReachable(url);
      return { url, close };
    } catch {
      const reason = whyNot(said, folder);
      if (reason === null && performance.now() < deadline) {
        await sleep(10);
        continue;
      }
      await close();
      if (said.includes('not found')) throw new Failure('redis-missing');
      throw new Failure('redis-start', { reason: reason ?? 'it did not answer in time' });
    }
  }
}

function makeFolder(parent: string): string {
  try {
    return mkdtempSync(join(parent, 'capfleet-'));
  } catch (error) {
    throw new Failure('redis-start', { reason: reasonOf(error) }, { cause: error });
  }
}

/** The reason why the server will never be ready, or null while it may be. */
function whyNot(said: string, folder: string): string | null {
  if (said !== '') return said.trim();
  try {
    const log = readFileSync(join(folder, 'redis.log'), 'utf8').trim().split('\n');
    // With few open files allowed it complains, and serves fewer clients.
    const lines = log.filter((line) => !/maximum open files|maxclients/.test(line));
    const isOver = lines.some((line) => /fatal|error|can't|Failed|not enough/i.test(line));
    return isOver ? (lines.at(-1) ?? null) : null;
  } catch {
    return null;
  }
}
