/**
 * One veth pair, `near` in this process's private namespace and `far` in one of its own, for what sends out of this
 * process. Neither end says anything by itself. Needs private namespaces (see enter-namespaces.ts).
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createNamespace, linkCounters, runIn } from './netns.ts';
import { readPcap } from './pcap-reader.ts';
import { startReceiver } from './receive.ts';

export const NEAR = 'near';
const FAR = 'far';

const run = promisify(execFile);

export async function setNear(...words: readonly string[]): Promise<void> {
  await run('ip', ['link', 'set', 'dev', NEAR, ...words]);
}

export async function setFar(...words: readonly string[]): Promise<void> {
  await runIn(FAR, 'ip', ['link', 'set', 'dev', FAR, ...words]);
}

/** Once, before the first pair. */
export async function makeFarNamespace(): Promise<void> {
  await createNamespace(FAR);
}

/** Both up when it resolves, with an MTU of 1,500. */
export async function makePair(): Promise<void> {
  await run('ip', ['link', 'add', NEAR, 'type', 'veth', 'peer', 'name', FAR, 'netns', FAR]);
  await setNear('addrgenmode', 'none');
  await setFar('addrgenmode', 'none');
  await setFar('arp', 'off', 'up');
  await setNear('arp', 'off', 'up');
}

export async function removePair(): Promise<void> {
  await run('ip', ['link', 'delete', NEAR]);
}

/** Frames that the far end has counted. */
export async function arrived(): Promise<number> {
  return (await linkCounters(FAR, FAR)).rxPackets;
}

/**
 * Captures the far end into the file from now on.
 * @returns gives the frames that came, and ends the capture
 */
export async function listenFar(file: string): Promise<() => Promise<Buffer[]>> {
  const receiver = await startReceiver({ ns: FAR, iface: FAR, file });
  return async () => {
    await receiver.stop();
    return readPcap(await readFile(file)).packets.map(({ data }) => data);
  };
}

/** An Ethernet frame of a local experimental type, tagged or not; its number is behind the header. */
export function experimentalFrame(length: number, number: number, tagged = false): Buffer {
  const bytes = Buffer.alloc(length, number & 0xff);
  bytes.write('020000000002020000000001', 0, 'hex');
  bytes.write(tagged ? '8100000188b5' : '88b5', 12, 'hex');
  bytes.writeUInt32BE(number, tagged ? 18 : 14);
  return bytes;
}
