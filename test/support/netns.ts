/**
 * Named network namespaces, veth pairs between them and processes in them, for a process that is in private
 * namespaces already (see enter-namespaces.ts). IPv6 is off before a link comes up and no address is given unless
 * asked for, so that nothing but what a test sends is ever on a link.
 */
import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { promisify } from 'node:util';
import { inPrivateNamespaces } from './enter-namespaces.ts';

export interface LinkEnd {
  /** Name of an existing namespace. */
  ns: string;
  /** Name of the interface. */
  name: string;
  /** 1,500 when left out; a frame may have 14 bytes more. */
  mtu?: number;
  /** IPv4 address with prefix length, such as `10.0.0.1/24`; none when left out. */
  address?: string;
}

export interface LinkCounters {
  rxPackets: number;
  rxBytes: number;
  rxDropped: number;
  rxErrors: number;
  txPackets: number;
  txBytes: number;
  txDropped: number;
  txErrors: number;
}

interface IpLink {
  stats64: Record<'rx' | 'tx', { packets: number; bytes: number; dropped: number; errors: number }>;
}

const run = promisify(execFile);

// A container may have /proc/sys read-only: the links then do without an IPv6 address at least.
const QUIET = `
ip link set lo up
for each in all default; do echo 1 > /proc/sys/net/ipv6/conf/$each/disable_ipv6 || true; done 2>/dev/null`;

export async function createNamespace(ns: string): Promise<void> {
  if (inPrivateNamespaces() === null) throw new Error('named namespaces are made in private namespaces only');
  await run('ip', ['netns', 'add', checked(ns)]);
  await runIn(ns, 'sh', ['-ec', QUIET]);
}

/** Its interfaces go with it, as soon as no process is in it any more. */
export async function removeNamespace(ns: string): Promise<void> {
  await run('ip', ['netns', 'delete', checked(ns)]);
}

/** Two connected Ethernet interfaces, both up and with carrier when this resolves. */
export async function vethPair({ a, b }: { a: LinkEnd; b: LinkEnd }): Promise<void> {
  const end = ({ ns, name, mtu = 1500 }: LinkEnd): string[] => [
    'name',
    name,
    'mtu',
    String(mtu),
    'netns',
    checked(ns),
  ];
  await run('ip', ['link', 'add', ...end(a), 'type', 'veth', 'peer', ...end(b)]);
  for (const { ns, name, address } of [a, b]) {
    await runIn(ns, 'ip', ['link', 'set', 'dev', name, 'addrgenmode', 'none']);
    if (address !== undefined) await runIn(ns, 'ip', ['address', 'add', address, 'dev', name]);
    await runIn(ns, 'ip', ['link', 'set', 'dev', name, 'up']);
  }
}

/** The signal at the parent's death is not sent where that came first. */
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"';

/** A process in the namespace; signals reach it directly, and it is killed when this process dies. */
export function spawnIn(
  ns: string,
  command: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): ChildProcess {
  return spawn('nsenter', enter(ns, command, args), options);
}

/** Runs a command in the namespace to its end and gives its standard output; a failure throws with what it said. */
export async function runIn(ns: string, command: string, args: readonly string[] = []): Promise<string> {
  const { stdout } = await run('nsenter', enter(ns, command, args));
  return stdout;
}

/** What the kernel counted at an interface. */
export async function linkCounters(ns: string, name: string): Promise<LinkCounters> {
  const answer = await runIn(ns, 'ip', ['-s', '-j', 'link', 'show', 'dev', name]);
  const [link] = JSON.parse(answer) as IpLink[];
  if (link === undefined) throw new Error(`no interface ${name} in ${ns}`);
  const { rx, tx } = link.stats64;
  return {
    rxPackets: rx.packets,
    rxBytes: rx.bytes,
    rxDropped: rx.dropped,
    rxErrors: rx.errors,
    txPackets: tx.packets,
    txBytes: tx.bytes,
    txDropped: tx.dropped,
    txErrors: tx.errors,
  };
}

function enter(ns: string, command: string, args: readonly string[]): string[] {
  const shell = ['sh', '-c', UNLESS_ORPHANED, String(process.pid), command, ...args];
  return [`--net=/run/netns/${checked(ns)}`, '--', 'setpriv', '--pdeathsig', 'KILL', '--', ...shell];
}

function checked(ns: string): string {
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(ns)) throw new RangeError(`not a name for a namespace: ${ns}`);
  return ns;
}
