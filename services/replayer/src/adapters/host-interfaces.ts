// Interfaces of this host: facts through the native core, names through libpcap, routes from /proc. None of them
// looks into /sys, which may belong to another network namespace than the process.
import { readFile } from 'node:fs/promises';
import { errnoOf } from '@capfleet/shared/errors/failure';
import type { NativeBinding } from '../native/binding.ts';
import type { Interfaces } from '../ports/interfaces.ts';
import { loadNpmPcap } from './npm-pcap.ts';

const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

export function hostInterfaces(native: NativeBinding): Interfaces {
  return {
    async state(name) {
      try {
        const { mtu, up, hardwareType } = native.interfaceFacts(name);
        return {
          mtu,
          up,
          ethernet: hardwareType === ARPHRD_ETHER || hardwareType === ARPHRD_LOOPBACK,
          defaultRoute: (await defaultRouteInterfaces()).has(name),
        };
      } catch (error) {
        if (errnoOf(error) === 'ENODEV') return null;
        throw error;
      }
    },
    names: interfaceNames,
  };
}

/** libpcap knows interfaces that are down or have no address, too; without it /proc tells. */
async function interfaceNames(): Promise<string[]> {
  try {
    const pseudo = /^(any|nflog|nfqueue|bluetooth|usbmon|dbus)/;
    return loadNpmPcap()
      .findalldevs()
      .map(({ name }) => name)
      .filter((name) => !pseudo.test(name))
      .sort();
  } catch {
    const table = await readFile('/proc/net/dev', 'utf8').catch(() => '');
    return [...table.matchAll(/^\s*([^\s:|]+):/gm)].map((match) => match[1] ?? '').sort();
  }
}

async function defaultRouteInterfaces(): Promise<Set<string>> {
  const names = new Set<string>();
  const [v4, v6] = await Promise.all(
    ['/proc/net/route', '/proc/net/ipv6_route'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  for (const line of (v4 ?? '').split('\n').slice(1)) {
    const [name = '', destination, , , , , , mask] = line.split('\t');
    if (destination === '00000000' && mask === '00000000') names.add(name);
  }
  for (const line of (v6 ?? '').split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields[9];
    if (name !== undefined && name !== 'lo' && /^0{32}$/.test(fields[0] ?? '') && fields[1] === '00')
      names.add(name);
  }
  return names;
}
