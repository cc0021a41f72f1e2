/**
 * One veth pair, `near` and `far`, in this process's private namespace, for what sends out of this process. Neither end
 * says anything by itself, so that all that arrives was sent. The pair is made when it is first needed and lasts as
 * long as the namespace; who changes it need not change it back. Needs private namespaces (see enter-namespaces.ts).
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { readPcap } from './pcap-reader.ts';
import { waitFor } from './wait-for.ts';

export const NEAR = 'near';
export const FAR = 'far';

export interface NearAndFar {
  /** Both ends are there and up, with an MTU of 1,500, when it resolves. */
  ready(): Promise<void>;
  /** Changes the pair by commands of ip(8), such as `link set dev near down`. */
  change(...commands: readonly string[]): Promise<void>;
  remove(): Promise<void>;
  /**
   * Captures what arrives at the far end from now on, while the pair is left as it is.
   * @returns gives the frames that have come, as many as the far end has counted
   */
  listen(): Promise<() => Promise<Buffer[]>>;
  /** Ends what still runs for it. */
  close(): Promise<void>;
}

const run = promisify(execFile);

const MAKE = [
  `link add ${NEAR} type veth peer name ${FAR}`,
  `link set dev ${NEAR} addrgenmode none arp off`,
  `link set dev ${FAR} addrgenmode none arp off`,
];
const BRING_UP = [`link set dev ${FAR} mtu 1500 up`, `link set dev ${NEAR} mtu 1500 up`];

export function nearAndFar(): NearAndFar {
  let isThere = false;
  let isChanged = false;
  let receiver: Receiver | null = null;
  const stopReceiver = async (): Promise<void> => {
    await receiver?.stop();
    receiver = null;
  };
  return {
    async ready() {
      if (!isThere) await ip([...MAKE, ...BRING_UP]);
      else if (isChanged) await ip(BRING_UP);
      isThere = true;
      isChanged = false;
    },
    async change(...commands) {
      await stopReceiver();
      isChanged = true;
      await ip(commands);
    },
    async remove() {
      await stopReceiver();
      isThere = false;
      await ip([`link delete ${NEAR}`]);
    },
    async listen() {
      const { countedBefore, frames } = (receiver ??= await startReceiver());
      const first = arrived() - countedBefore;
      return () =>
        waitFor('all frames at the far end', () => {
          const all = frames();
          return all.length >= arrived() - countedBefore && all.slice(first);
        });
    },
    close: stopReceiver,
  };
}

/** Frames that an end has counted since it was made. */
export function arrived(end: typeof NEAR | typeof FAR = FAR): number {
  const table = readFileSync('/proc/self/net/dev', 'utf8');
  const line = new RegExp(`^ *${end}:(.*)$`, 'm').exec(table)?.[1];
  if (line === undefined) throw new Error(`no interface ${end}`);
  return Number(line.trim().split(/\s+/)[1]);
}

/** An Ethernet frame of a local experimental type, tagged or not; its number is behind the header. */
export function experimentalFrame(length: number, number: number, tagged = false): Buffer {
  const bytes = Buffer.alloc(length, number & 0xff);
  bytes.write('020000000002020000000001', 0, 'hex');
  bytes.write(tagged ? '8100000188b5' : '88b5', 12, 'hex');
  bytes.writeUInt32BE(number, tagged ? 18 : 14);
  return bytes;
}

/** In one process, however many there are. */
async function ip(commands: readonly string[]): Promise<void> {
  const running = run('ip', ['-batch', '-']);
  running.child.stdin?.end(commands.map((command) => `${command}\n`).join(''));
  await running;
}

interface Receiver {
  /** Frames that the far end had counted when it was started. */
  readonly countedBefore: number;
  /** Those that it was told of since. */
  frames(): Buffer[];
  stop(): Promise<void>;
}

/** Its whole ring is for frames of this size. */
const SNAP_LENGTH = 2048;
const RING_KIB = 32_768;

async function startReceiver(): Promise<Receiver> {
  const output = ['--immediate-mode', '-U', '-w', '-', '-Z', 'root', '-s', String(SNAP_LENGTH)];
  const tcpdump: ChildProcess = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', 'tcpdump', '-i', FAR, '-n', '-Q', 'in', '-B', String(RING_KIB), ...output],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = once(tcpdump, 'close');
  ended.catch(() => undefined);
  let said = '';
  tcpdump.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const chunks: Buffer[] = [];
  tcpdump.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  await waitFor('tcpdump to listen', () => {
    if (tcpdump.exitCode !== null) throw new Error(`tcpdump ended: ${said.trim()}`);
    return said.includes('listening on');
  });
  return {
    countedBefore: arrived(),
    frames: () =>
      chunks.length === 0 ? [] : readPcap(Buffer.concat(chunks)).packets.map(({ data }) => data),
    async stop() {
      tcpdump.kill('SIGINT');
      await ended;
    },
  };
}
