/**
 * Brings a whole process, a test file or the demo, into network and mount namespaces of its own, where it may make
 * interfaces and named namespaces that nobody else sees. Nothing is left behind, not even after SIGKILL: mounts
 * and namespaces end with the last process in them, and the process inside is killed when the one outside dies.
 *
 * Two ways: `root` has the privileges already; `user` gets them from a user namespace and keeps its own, ordinary
 * user id inside, with all capabilities handed on to children (tcpdump, for one, insists on giving up user id 0,
 * which such a namespace cannot do). Needs unshare, mount and setpriv of util-linux 2.38, and iproute2.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, realpathSync } from 'node:fs';

export type NamespaceMode = 'root' | 'user';

export interface Command {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

/** Holds the mode and the mount namespace, so that it says nothing in any other place it may be handed on to. */
const MARK = 'CAPFLEET_NAMESPACES';

const MOUNT = `
[ -d /run/netns ] || mkdir -p /run/netns 2>/dev/null || { mount -t tmpfs tmpfs /run && mkdir /run/netns; }
mount -t tmpfs tmpfs /run/netns`;

const START = `
ip link set lo up
export ${MARK}="$0:$(readlink /proc/self/ns/mnt)"
exec setpriv --pdeathsig KILL -- "$@"`;

// The mounts are made as user 0 of a first namespace, since mount(8) asks for that, and inherited by the second.
const MOUNT_THEN_START = `${MOUNT}
start=$1
user=$2
shift 2
exec unshare -U --map-user="$user" --map-group="$user" --keep-caps -n -m -- sh -ec "$start" "$0" "$@"`;

const PROBE = `
ip netns add probe
ip link add probe0 type veth peer name probe1 netns probe
nsenter --net=/run/netns/probe -- ip link set probe1 up`;

/** How this process was brought into its namespaces, null where it was not. */
export function inPrivateNamespaces(): NamespaceMode | null {
  const mark = process.env[MARK] ?? '';
  const mode = mark.slice(0, 4);
  if (mode !== 'root' && mode !== 'user') return null;
  return mark === `${mode}:${readlinkSync('/proc/self/ns/mnt')}` ? mode : null;
}

/** The command that runs another one in fresh namespaces. Its process id becomes that of the other one. */
export function commandInNamespaces(mode: NamespaceMode, command: string, args: readonly string[]): Command {
  const env = { ...process.env, PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` };
  const inner = [mode, command, ...args];
  if (mode === 'root') {
    return { command: 'unshare', args: ['-n', '-m', '--', 'sh', '-ec', MOUNT + START, ...inner], env };
  }
  const uid = process.getuid?.() ?? 0;
  const user = uid === 0 ? 1000 : uid;
  const script = ['sh', '-ec', MOUNT_THEN_START, mode, START, String(user), command, ...args];
  return { command: 'unshare', args: ['-U', '-r', '-m', '--', ...script], env };
}

/** Why there are no namespaces to be had in this way; undefined where there are. Tries it out. */
export function whyNoNamespaces(mode: NamespaceMode): string | undefined {
  const { command, args, env } = commandInNamespaces(mode, 'sh', ['-ec', PROBE]);
  const tried = spawnSync(command, args, { env, encoding: 'utf8', timeout: 10_000 });
  if (tried.status === 0) return undefined;
  const said = tried.error?.message ?? tried.stderr.trim().split('\n').slice(-2).join('; ');
  return said || `ended with ${tried.signal ?? tried.status}`;
}

/** The way that works here, as root if possible; or the reasons why none does, in one line. */
export function findNamespaceMode(): { mode: NamespaceMode } | { reason: string } {
  const reasons: string[] = [];
  const modes: NamespaceMode[] = process.getuid?.() === 0 ? ['root', 'user'] : ['user'];
  for (const mode of modes) {
    const reason = whyNoNamespaces(mode);
    if (reason === undefined) return { mode };
    reasons.push(`${mode === 'root' ? 'as root' : 'in a user namespace'}: ${reason}`);
  }
  return { reason: `no network namespaces (${reasons.join('; ')})` };
}

/**
 * Runs a script with this same Node in fresh namespaces, on this process's own standard streams, and resolves with
 * its exit code (1 where a signal ended it). Signals that ask for an end are passed on and waited for, so that the
 * script can clean up; a terminal sends Ctrl-C to both by itself.
 */
export async function reexecInNamespaces(
  mode: NamespaceMode,
  file: string,
  args: readonly string[],
): Promise<number> {
  const inner = commandInNamespaces(mode, process.execPath, [...process.execArgv, file, ...args]);
  const child = spawn(inner.command, inner.args, { stdio: 'inherit', env: inner.env });
  const pass = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
  };
  process.on('SIGINT', pass).on('SIGTERM', pass);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    process.off('SIGINT', pass).off('SIGTERM', pass);
  }
}

/**
 * For the first line of a test file: `const skip = await enterNamespaces(import.meta);`. Outside, it runs the file
 * again inside and exits with its code, so that nothing after the line is seen outside: the runner reads the tests
 * of the inner process, which has the same standard output. Inside, it gives false. Where namespaces cannot be had
 * it gives the reason, also printed on standard error, for the option `skip` of every test.
 */
export async function enterNamespaces(meta: ImportMeta): Promise<string | false> {
  if (inPrivateNamespaces() !== null) return false;
  const script = process.argv[1];
  // With `node --test --test-isolation=none` the process is also that of the other test files.
  const alone = !process.execArgv.includes('--test') && script !== undefined;
  const found =
    alone && realpathSync(script) === meta.filename
      ? findNamespaceMode()
      : { reason: 'this file needs a process of its own to enter network namespaces' };
  if ('reason' in found) {
    process.stderr.write(`SKIPPED ${meta.filename}: ${found.reason}\n`);
    return found.reason;
  }
  process.exit(await reexecInNamespaces(found.mode, meta.filename, process.argv.slice(2)));
}
