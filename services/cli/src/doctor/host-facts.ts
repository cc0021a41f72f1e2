// What this host is, as far as replays and mappings depend on it. Reads /proc, /sys and the native core; changes nothing.
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { hostInterfaces } from '@capfleet/replayer/adapters/host-interfaces';
import { compileFilter } from '@capfleet/replayer/adapters/libpcap';
import { nativeSystemClock } from '@capfleet/replayer/adapters/native-system-clock';
import type { NativeBinding } from '@capfleet/replayer/native/binding';
import { openFileLimit } from '@capfleet/replayer/open-file-limit';
import { reasonOf } from '@capfleet/shared/errors/failure';

/** Bits of /proc/PID/status, capabilities(7). */
const CAPABILITIES = { netRaw: 13, ipcLock: 14, sysNice: 23 } as const;

export interface HostFacts {
  readonly processors: number;
  /** False: not built. */
  readonly native: boolean;
  readonly capabilities: Readonly<Record<keyof typeof CAPABILITIES, boolean>>;
  readonly realtimeAllowed: boolean;
  /** The Node that runs this: not always the first in the PATH. */
  readonly node: string;
  /** µs in each period that real-time threads may use; −1: all; null: unknown. */
  readonly realtimeRuntime: number | null;
  readonly realtimePeriod: number | null;
  /** Bytes; Infinity: no limit. */
  readonly lockedMemory: number;
  readonly openFiles: number;
  /** Governors of the processors, each once; none where their speed is not chosen here. */
  readonly governors: readonly string[];
  /** Part of the time since the boot in which the hypervisor had the processors. */
  readonly stolen: number;
  /** Null without the native core. */
  readonly clock: { readonly synchronised: boolean; readonly maxErrorUs: number } | null;
  /** Why libpcap cannot be used; null: it can. */
  readonly libpcap: string | null;
}

export interface InterfaceState {
  readonly name: string;
  /** Null: there is none of this name. */
  readonly state: {
    mtu: number;
    up: boolean;
    ethernet: boolean;
    defaultRoute: boolean;
    /** What arrives is merged into larger packets. */
    merges: boolean;
  } | null;
  readonly others: readonly string[];
}

export async function hostFacts(native: NativeBinding | null): Promise<HostFacts> {
  const [status, limits, stat, runtime, period] = await Promise.all(
    [
      '/proc/self/status',
      '/proc/self/limits',
      '/proc/stat',
      '/proc/sys/kernel/sched_rt_runtime_us',
      '/proc/sys/kernel/sched_rt_period_us',
    ].map(textOf),
  );
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status ?? '')?.[1] ?? '0'}`);
  const has = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  const clock = native && nativeSystemClock(native).read();
  return {
    processors: availableParallelism(),
    native: native !== null,
    node: process.execPath,
    capabilities: {
      netRaw: has(CAPABILITIES.netRaw),
      ipcLock: has(CAPABILITIES.ipcLock),
      sysNice: has(CAPABILITIES.sysNice),
    },
    realtimeAllowed: native?.realtimeAllowed() ?? false,
    realtimeRuntime: numberIn(runtime),
    realtimePeriod: numberIn(period),
    lockedMemory: limitOf(limits ?? '', 'Max locked memory'),
    openFiles: openFileLimit(),
    governors: await governors(),
    stolen: stolenPart(stat ?? ''),
    clock: clock && { synchronised: clock.synchronised, maxErrorUs: clock.maxErrorUs },
    libpcap: native ? libpcapTrouble() : 'the native core is not built',
  };
}

export async function interfaceState(native: NativeBinding, name: string): Promise<InterfaceState> {
  const interfaces = hostInterfaces(native);
  const state = await interfaces.state(name);
  return {
    name,
    state: state && { ...state, merges: native.interfaceFacts(name).merges },
    others: state ? [] : await interfaces.names(),
  };
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function numberIn(text: string | undefined): number | null {
  return text === undefined || text.trim() === '' ? null : Number(text);
}

/** The soft one. */
function limitOf(limits: string, name: string): number {
  const [soft] =
    limits
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(name.length)
      .trim()
      .split(/\s+/) ?? [];
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}

function stolenPart(stat: string): number {
  const times = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number);
  const total = times.slice(0, 8).reduce((sum, time) => sum + time, 0);
  return total === 0 ? 0 : (times[7] ?? 0) / total;
}

async function governors(): Promise<string[]> {
  const cpus = await readdir('/sys/devices/system/cpu').catch(() => []);
  const read = cpus
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => textOf(`/sys/devices/system/cpu/${name}/cpufreq/scaling_governor`));
  const names = (await Promise.all(read)).map((text) => text.trim()).filter((text) => text !== '');
  return [...new Set(names)].sort();
}

function libpcapTrouble(): string | null {
  try {
    compileFilter('ip');
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}
