// What the facts of a host mean for Capfleet: each a line with a verdict and, where it is not well, the way out.
import { formatDuration } from '@capfleet/shared/time/nanos';
import type { HostFacts, InterfaceState } from './host-facts.ts';

export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'error';
  readonly found: string;
  /** Null where nothing is to be done. */
  readonly remedy: string | null;
}

/** What a replay locks: the ring of one sensor. */
const RING_BYTES = 32 * 1024 * 1024;
const OPEN_FILES_FEW = 4096;
/** Less in a second and a real-time pacing thread is stopped by the kernel. */
const REALTIME_LEAST = 0.9;
/** What Linux gives them, unless told otherwise. */
const REALTIME_USUAL = 0.95;
const STOLEN_MUCH = 0.005;
const MAX_ERROR_US = 1000;

export function judgeHost(facts: HostFacts): Finding[] {
  return [
    judgeNative(facts),
    judgeRawPackets(facts),
    judgeRealtime(facts),
    judgeThrottling(facts),
    judgeLockedMemory(facts),
    judgeOpenFiles(facts),
    judgeGovernor(facts),
    judgeStolen(facts),
    judgeClock(facts),
    judgeLibpcap(facts),
  ];
}

const ok = (check: string, found: string): Finding => ({ check, verdict: 'ok', found, remedy: null });
const warning = (check: string, found: string, remedy: string): Finding => {
  return { check, verdict: 'warning', found, remedy };
};
const error = (check: string, found: string, remedy: string): Finding => {
  return { check, verdict: 'error', found, remedy };
};

function judgeNative({ native }: HostFacts): Finding {
  return native
    ? ok('native core', 'is built')
    : error(
        'native core',
        'is not built; nothing can be replayed from here',
        'npm run build (needs gcc and make)',
      );
}

function judgeRawPackets({ capabilities, node }: HostFacts): Finding {
  return capabilities.netRaw
    ? ok('raw packets', 'may be sent (CAP_NET_RAW)')
    : error(
        'raw packets',
        'may not be sent: no CAP_NET_RAW',
        `run it as the unit of deploy/host does, or sudo setcap cap_net_raw,cap_sys_nice,cap_ipc_lock+ep "${node}"`,
      );
}

function judgeRealtime({ realtimeAllowed }: HostFacts): Finding {
  return realtimeAllowed
    ? ok('real-time class', 'is allowed for pacing threads')
    : warning(
        'real-time class',
        'is not allowed; other programs will make packets late',
        'CAP_SYS_NICE or LimitRTPRIO=1 in the unit; for a user a line "USER - rtprio 1" in /etc/security/limits.conf',
      );
}

function judgeThrottling({ realtimeRuntime: runtime, realtimePeriod: period }: HostFacts): Finding {
  const check = 'real-time throttling';
  if (runtime === null || period === null || runtime < 0) return ok(check, 'none');
  const part = runtime / period;
  const found = `${(100 * part).toFixed(0)} % of ${(period / 1000).toFixed(0)} ms for real-time threads`;
  return part >= REALTIME_LEAST
    ? ok(check, found)
    : warning(
        check,
        found,
        `sudo sysctl -w kernel.sched_rt_runtime_us=${Math.round(REALTIME_USUAL * period)}`,
      );
}

function judgeLockedMemory({ lockedMemory, capabilities }: HostFacts): Finding {
  const check = 'locked memory';
  if (capabilities.ipcLock || lockedMemory === Infinity) return ok(check, 'without limit');
  const found = `${(lockedMemory / 1024 ** 2).toFixed(0)} MiB may be locked`;
  return lockedMemory >= RING_BYTES
    ? ok(check, found)
    : warning(
        check,
        `${found}, and a sensor wants 32 MiB`,
        'CAP_IPC_LOCK or LimitMEMLOCK=64M in the unit; for a user a line "USER - memlock 65536" in /etc/security/limits.conf',
      );
}

function judgeOpenFiles({ openFiles }: HostFacts): Finding {
  const found = openFiles === Infinity ? 'without limit' : String(openFiles);
  return openFiles >= OPEN_FILES_FEW
    ? ok('open files', found)
    : warning(
        'open files',
        `${found}: a share whose files overlap in time may need more`,
        `LimitNOFILE=65536 in the unit; ulimit -n ${OPEN_FILES_FEW} in a shell`,
      );
}

function judgeGovernor({ governors }: HostFacts): Finding {
  const check = 'processor speed';
  if (governors.length === 0) return ok(check, 'is not chosen by this system');
  const slow = governors.filter((name) => name !== 'performance');
  return slow.length === 0
    ? ok(check, 'governor performance')
    : warning(
        check,
        `governor ${slow.join(', ')}: waking up takes longer`,
        'sudo cpupower frequency-set -g performance',
      );
}

function judgeStolen({ stolen, processors }: HostFacts): Finding {
  const found = `${processors} here, ${(100 * stolen).toFixed(2)} % of their time taken by the hypervisor`;
  return stolen < STOLEN_MUCH
    ? ok('processors', found)
    : warning('processors', found, 'give the virtual machine processors of its own');
}

function judgeClock({ clock }: HostFacts): Finding {
  const check = 'system clock';
  if (!clock) return warning(check, 'unknown without the native core', 'npm run build');
  const found = `${clock.synchronised ? 'synchronised' : 'not synchronised'}, ± ${formatDuration(BigInt(clock.maxErrorUs) * 1000n)} by the kernel`;
  return clock.synchronised && clock.maxErrorUs <= MAX_ERROR_US
    ? ok(check, found)
    : warning(
        check,
        `${found}; sensors take the clock of Redis instead (--clock auto)`,
        clock.synchronised
          ? 'give chrony servers that are nearer (chronyc sources), or PTP; see deploy/host'
          : 'sudo apt-get install chrony; with rtcsync in its configuration, as in deploy/host',
      );
}

function judgeLibpcap({ libpcap }: HostFacts): Finding {
  return libpcap === null
    ? ok('libpcap', 'is there')
    : warning('libpcap', `${libpcap}; only filters and captures need it`, 'sudo apt-get install libpcap0.8');
}

/** Frames that are sent raw pass by the offloads of the sending side; those of the receiving side change what a sensor sees. */
export function judgeOffloads({ name, state }: InterfaceState): Finding[] {
  if (!state) return [];
  const check = `offloads of ${name}`;
  if (!state.merges) return [ok(check, 'none changes what is sent or what arrives')];
  return [
    warning(
      check,
      'none changes what is sent; what arrives is merged (GRO, LRO): a sensor that listens on it sees other packets',
      `sudo ethtool -K ${name} gro off lro off`,
    ),
  ];
}

export function judgeInterface({ name, state, others }: InterfaceState): Finding {
  const check = `interface ${name}`;
  if (!state) return error(check, 'is not there', `choose another: ${others.join(', ')}`);
  if (!state.up) return error(check, 'is down', `sudo ip link set ${name} up`);
  if (!state.ethernet) return error(check, 'is no Ethernet', 'choose another');
  if (state.defaultRoute)
    return warning(
      check,
      'carries the default route of this host; replays into it are refused',
      'choose another, or --allow-default-route-interface',
    );
  return ok(check, `up, MTU ${state.mtu}`);
}
