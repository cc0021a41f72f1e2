/**
 * The far end of a link: tcpdump writing what arrives, with nanosecond stamps of the kernel. It is listening when
 * `startReceiver` resolves, and has written every packet that reached it when `stop` resolves.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { spawnIn } from './netns.ts';
import { waitFor } from './wait-for.ts';

export interface ReceiverOptions {
  /** Name of a namespace; this process's own when left out. */
  ns?: string;
  /** Name of the interface in that namespace. */
  iface: string;
  /** Ends in `.pcap`: some distributions confine tcpdump to that. */
  file: string;
  /** Packets that arrive only (default), or both directions. */
  direction?: 'in' | 'inout';
  /** Unit of the stamps, `nano` by default. */
  precision?: 'nano' | 'micro';
}

export interface Received {
  path: string;
  packets: number;
  droppedByKernel: number;
}

export interface Receiver {
  stop(): Promise<Received>;
}

/** Nothing came for so long: what was on its way has arrived. */
const SETTLED_MS = 200;
/** The kernel hands over a block that is not full after one second; this is some more. */
const QUIET_MS = 1300;
const DEADLINE = 15_000;

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { ns, iface, file, direction = 'in', precision = 'nano' } = options;
  if (!file.endsWith('.pcap')) throw new RangeError(`a received file is named *.pcap: ${file}`);
  const fixed = ['-n', '-B', '65536', '-s', '0', '-Z', 'root', '-U'];
  const args = ['-i', iface, '-w', file, `--time-stamp-precision=${precision}`, ...fixed, '-Q', direction];
  const tcpdump =
    ns === undefined
      ? spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'tcpdump', ...args], {
          stdio: ['ignore', 'ignore', 'pipe'],
        })
      : spawnIn(ns, 'tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(tcpdump, 'close');
  // Awaited in `stop`; a tcpdump that cannot be started is told by `said` below.
  ended.catch(() => undefined);

  let said = '';
  let failure = '';
  tcpdump.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  tcpdump.on('error', (error) => (failure = error.message));
  const isOver = (): boolean => failure !== '' || tcpdump.exitCode !== null || tcpdump.signalCode !== null;
  const refuse = (): never => {
    throw new Error(`tcpdump on ${iface} in ${ns ?? 'this namespace'} ended: ${(failure || said).trim()}`);
  };

  await waitFor('tcpdump to listen', () => said.includes('listening on') || isOver(), { timeout: DEADLINE });
  if (!said.includes('listening on') || isOver()) refuse();

  const stop = async (): Promise<Received> => {
    if (isOver()) refuse();
    let size = -1;
    let since = performance.now();
    let heard = said.length;
    await waitFor(
      'the received file to be complete',
      async () => {
        const account = said.slice(heard);
        heard = said.length;
        // It tells its counts for that.
        tcpdump.kill('SIGUSR1');
        const now = performance.now();
        const grown = (await stat(file)).size;
        if (grown !== size) since = now;
        size = grown;
        // Packets of the other direction are received and not captured.
        return now - since >= (isComplete(account) ? SETTLED_MS : QUIET_MS);
      },
      { timeout: DEADLINE, every: 50 },
    );
    tcpdump.kill('SIGINT');
    await ended;
    return {
      path: file,
      packets: countOf(said, 'captured'),
      droppedByKernel: countOf(said, 'dropped by kernel'),
    };
  };
  return { stop };
}

/** Whether all that the kernel has received is written, by what tcpdump said of it. */
function isComplete(account: string): boolean {
  return (
    account.includes('captured') && countOf(account, 'captured') === countOf(account, 'received by filter')
  );
}

/** The latest that it told. */
function countOf(said: string, what: string): number {
  const count = [...said.matchAll(new RegExp(`(\\d+) packets? ${what}`, 'g'))].at(-1)?.[1];
  if (count === undefined) throw new Error(`tcpdump did not tell its count: ${said.trim()}`);
  return Number(count);
}
