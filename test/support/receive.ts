/**
 * The far end of a link: tcpdump writing what arrives, with nanosecond stamps of the kernel. It is listening when
 * `startReceiver` resolves, and has written every packet that reached it when `stop` resolves.
 */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { spawnIn } from './netns.ts';
import { waitFor } from './wait-for.ts';

export interface ReceiverOptions {
  ns: string;
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

/** The kernel hands over a block that is not full after one second; this is some more. */
const QUIET_TIME = 1300;
const DEADLINE = 15_000;

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { ns, iface, file, direction = 'in', precision = 'nano' } = options;
  if (!file.endsWith('.pcap')) throw new RangeError(`a received file is named *.pcap: ${file}`);
  const fixed = ['-n', '-B', '65536', '-s', '0', '-Z', 'root', '-U'];
  const args = ['-i', iface, '-w', file, `--time-stamp-precision=${precision}`, ...fixed, '-Q', direction];
  const tcpdump = spawnIn(ns, 'tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(tcpdump, 'close');
  // Awaited in `stop`; a tcpdump that cannot be started is told by `said` below.
  ended.catch(() => undefined);

  let said = '';
  let failure = '';
  tcpdump.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  tcpdump.on('error', (error) => (failure = error.message));
  const isOver = (): boolean => failure !== '' || tcpdump.exitCode !== null || tcpdump.signalCode !== null;
  const refuse = (): never => {
    throw new Error(`tcpdump on ${iface} in ${ns} ended: ${(failure || said).trim()}`);
  };

  await waitFor('tcpdump to listen', () => said.includes('listening on') || isOver(), { timeout: DEADLINE });
  if (!said.includes('listening on') || isOver()) refuse();

  const stop = async (): Promise<Received> => {
    if (isOver()) refuse();
    let size = -1;
    let since = performance.now();
    await waitFor(
      'the received file to be complete',
      async () => {
        const now = performance.now();
        const grown = (await stat(file)).size;
        if (grown !== size) since = now;
        size = grown;
        return now - since >= QUIET_TIME;
      },
      { timeout: DEADLINE, every: 50 },
    );
    tcpdump.kill('SIGINT');
    await ended;
    return {
      path: file,
      packets: countOf(said, /(\d+) packets? captured/),
      droppedByKernel: countOf(said, /(\d+) packets? dropped by kernel/),
    };
  };
  return { stop };
}

function countOf(said: string, pattern: RegExp): number {
  const count = pattern.exec(said)?.[1];
  if (count === undefined) throw new Error(`tcpdump did not tell its count: ${said.trim()}`);
  return Number(count);
}
