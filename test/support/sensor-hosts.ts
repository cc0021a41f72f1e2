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
const FAR_INTERFACE = 'far0';
const ETHERNET_HEADER = 14;
const SMALLEST_MTU = 1500;

/** What is sent into one end of it in the one namespace arrives at the other end in the other. */
export interface SensorLink {
  readonly sensor: string;
  readonly ns: string;
  readonly far: string;
  readonly mtu: number;
}

export interface SensorHost extends SensorLink {
  readonly receiver: Receiver;
  /** The capture of the far end. */
  readonly received: string;
}

/** @param largestFrame bytes with the Ethernet header; the MTU is made to hold it, but not smaller than usual */
export async function makeSensorLink(sensor: string, largestFrame: number): Promise<SensorLink> {
  const ns = `sensor-${sensor}`;
  const far = `far-${sensor}`;
  const mtu = Math.max(SMALLEST_MTU, largestFrame - ETHERNET_HEADER);
  await createNamespace(ns);
  await createNamespace(far);
  await vethPair({ a: { ns, name: REPLAY_INTERFACE, mtu }, b: { ns: far, name: FAR_INTERFACE, mtu } });
  return { sensor, ns, far, mtu };
}

/** @param dir gets the capture of the far end */
export async function makeSensorHost(sensor: string, largestFrame: number, dir: string): Promise<SensorHost> {
  const link = await makeSensorLink(sensor, largestFrame);
  const received = join(dir, `received-${sensor}.pcap`);
  return { ...link, receiver: await captureFarEnd(link, received), received };
}

/** All captures on a host have stamps of one clock. */
export function captureFarEnd({ far }: SensorLink, file: string): Promise<Receiver> {
  return startReceiver({ ns: far, iface: FAR_INTERFACE, file });
}

/** The agent of a sensor, in the host's namespace. */
export function startAgent(
  { ns, sensor }: SensorLink,
  redis: string,
  options: SpawnOptions = {},
  logLevel = 'warn',
): ChildProcess {
  const args = ['replayer', '--sensor', sensor, '--interface', REPLAY_INTERFACE, '--redis', redis];
  return capfleetIn(ns, [...args, '--log-level', logLevel], {
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
