/**
 * Sensor hosts as network namespaces: each has one interface to replay into, whose far end is captured in a
 * namespace of its own. Needs private namespaces (see enter-namespaces.ts), and they end with them.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createNamespace, spawnIn, vethPair } from './netns.ts';
import { startReceiver, type Receiver } from './receive.ts';

export const program = resolve(import.meta.dirname, '../../services/cli/bin/capfleet.mjs');
export const REPLAY_INTERFACE = 'replay0';
const ETHERNET_HEADER = 14;
const SMALLEST_MTU = 1500;

export interface SensorHost {
  readonly sensor: string;
  readonly ns: string;
  readonly mtu: number;
  readonly receiver: Receiver;
  /** The capture of the far end. */
  readonly received: string;
}

/**
 * @param largestFrame bytes with the Ethernet header; the MTU is made to hold it, but not smaller than usual
 * @param dir gets the capture of the far end
 */
export async function makeSensorHost(sensor: string, largestFrame: number, dir: string): Promise<SensorHost> {
  const ns = `sensor-${sensor}`;
  const far = `far-${sensor}`;
  const mtu = Math.max(SMALLEST_MTU, largestFrame - ETHERNET_HEADER);
  await createNamespace(ns);
  await createNamespace(far);
  await vethPair({ a: { ns, name: REPLAY_INTERFACE, mtu }, b: { ns: far, name: 'far0', mtu } });
  const received = join(dir, `received-${sensor}.pcap`);
  const receiver = await startReceiver({ ns: far, iface: 'far0', file: received });
  return { sensor, ns, mtu, receiver, received };
}

/** The agent of a sensor, in the host's namespace. */
export function startAgent(
  { ns, sensor }: SensorHost,
  redis: string,
  options: SpawnOptions = {},
): ChildProcess {
  const args = ['replayer', '--sensor', sensor, '--interface', REPLAY_INTERFACE, '--redis', redis];
  return capfleetIn(ns, [...args, '--log-level', 'warn'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
}

/** The program in a namespace. */
function capfleetIn(ns: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawnIn(ns, process.execPath, [program, ...args], options);
}

/** Ends a process in order and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
