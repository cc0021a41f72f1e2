/**
 * A Docker engine with Compose: the one of this machine or, on a Debian without, one of the test's own from the
 * distribution's packages, in folders of its own and gone with the test. That one pulls nothing: the public images that
 * ours are built on are made here, from the distribution and from npm.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AfterHook } from '../temp-dir.ts';
import { waitFor } from '../wait-for.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
/** What takes long to make, for the next run. */
const KEPT = join(ROOT, '.node/containers');
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** Docker's plugins came into the distribution with this release. */
const NEXT_RELEASE = 'trixie';
const OLDEST_COMPOSE = 24;

export interface ContainerEngine {
  /** For the environment of `docker`. */
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
}

/** An engine, or the reason why there is none. */
export async function startContainerEngine(t: AfterHook): Promise<ContainerEngine | string> {
  const found = versionOf(process.env);
  if (found !== null) return { env: process.env, version: found };
  if (process.getuid?.() !== 0) return 'no Docker engine answers, and only root can start one';
  if (!existsSync('/etc/debian_version'))
    return 'no Docker engine answers, and this is no Debian to get one from';
  mkdirSync(KEPT, { recursive: true });
  install('dockerd', 'docker.io', 'iptables');
  install('debootstrap', 'debootstrap');
  const config = join(KEPT, 'config');
  getPlugins(join(config, 'cli-plugins'));
  const folder = await mkdtemp(join(tmpdir(), 'capfleet-docker-'));
  const settings = {
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'run'),
    pidfile: join(folder, 'pid'),
    hosts: [`unix://${folder}/sock`],
    'storage-driver': 'overlay2',
    'default-ulimits': { nofile: { Name: 'nofile', Soft: 20_000, Hard: 20_000 } },
  };
  writeFileSync(join(folder, 'daemon.json'), JSON.stringify(settings));
  const daemon = spawn(
    'setpriv',
    ['--pdeathsig', 'TERM', '--', 'dockerd', '--config-file', join(folder, 'daemon.json')],
    { stdio: 'ignore' },
  );
  const ended = once(daemon, 'exit');
  t.after(async () => {
    daemon.kill('SIGTERM');
    await ended;
    // What containers in the host's network leave mounted.
    for (const left of globSync(join(folder, 'run/netns/*'))) spawnSync('umount', [left]);
    await rm(folder, { recursive: true, force: true });
  });
  const env = { ...process.env, DOCKER_CONFIG: config, DOCKER_HOST: `unix://${folder}/sock` };
  await waitFor('the engine answers', () => daemon.exitCode !== null || versionOf(env) !== null, {
    timeout: 60_000,
  });
  const version = versionOf(env);
  if (version === null) return 'the Docker engine that was started here does not answer';
  await makeBaseImages(env);
  return { env, version: `${version}, started for this test` };
}

/** Of engine and Compose; null where they do not answer, or are too old. */
function versionOf(env: NodeJS.ProcessEnv): string | null {
  const ask = (...args: string[]): string =>
    (spawnSync('docker', args, { env, encoding: 'utf8' }).stdout as string | null)?.trim() ?? '';
  const engine = ask('version', '--format', '{{.Server.Version}}');
  const compose = ask('compose', 'version', '--short');
  const [, minor = '0'] = compose.replace(/^v/, '').split('.');
  const isRecent = /^v?[3-9]\d*\./.test(compose) || Number(minor) >= OLDEST_COMPOSE;
  return engine !== '' && compose !== '' && isRecent ? `Docker ${engine}, Compose ${compose}` : null;
}

/** @throws Error with the end of what the program said */
function run(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): void {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    ...options,
    maxBuffer: 1 << 28,
  });
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n');
  throw new Error(`${command} ${args.join(' ')} ended with ${String(status)}:\n${said}`);
}

function install(program: string, ...packages: string[]): void {
  if (spawnSync('sh', ['-c', `command -v ${program}`]).status === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], { env });
}

/** Compose and Buildx out of the next release's packages, which are unpacked and not installed. */
function getPlugins(into: string): void {
  if (existsSync(join(into, 'docker-compose')) && existsSync(join(into, 'docker-buildx'))) return;
  const folder = join(KEPT, 'plugins');
  for (const part of ['lists/partial', 'archives/partial'])
    mkdirSync(join(folder, part), { recursive: true });
  mkdirSync(into, { recursive: true });
  const sources = globSync('/etc/apt/sources.list.d/debian.sources');
  const [from = '/etc/apt/sources.list'] = sources;
  const to = join(folder, sources.length > 0 ? 'next.sources' : 'next.list');
  const codename = /VERSION_CODENAME=(\w+)/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const lines = readFileSync(from, 'utf8')
    .replaceAll(`${codename}-updates`, '')
    .replaceAll(codename, NEXT_RELEASE);
  writeFileSync(to, lines);
  const elsewhere = {
    'Dir::Etc::SourceList': to,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::Cache': folder,
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(elsewhere).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, 'update']);
  run('apt-get', [...options, 'download', 'docker-compose', 'docker-buildx'], { cwd: folder });
  for (const file of globSync('*.deb', { cwd: folder }))
    run('dpkg-deb', ['-x', file, 'files'], { cwd: folder });
  for (const name of ['docker-compose', 'docker-buildx']) {
    const plugin = globSync(`files/usr/lib*/**/cli-plugins/${name}`, { cwd: folder })[0];
    if (plugin === undefined) throw new Error(`no ${name} in the distribution's package`);
    rmSync(join(into, name), { force: true });
    symlinkSync(join(folder, plugin), join(into, name));
  }
}

async function makeBaseImages(env: NodeJS.ProcessEnv): Promise<void> {
  const debian = join(KEPT, 'debian');
  if (!existsSync(debian)) {
    const raw = await mkdtemp(join(KEPT, 'debian-'));
    run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', raw]);
    run('sh', ['-c', 'rm -rf "$0"/var/cache/apt/archives/*.deb "$0"/var/lib/apt/lists/*', raw]);
    // Where the registries are reached through one's own authority.
    if (existsSync(CERTIFICATES)) await cp(CERTIFICATES, join(raw, CERTIFICATES));
    await rename(raw, debian);
  }
  run(
    'sh',
    ['-c', 'tar -C "$0" -c . | docker import --change \'CMD ["bash"]\' - debian:bookworm-slim', debian],
    {
      env,
    },
  );
  const build = (tag: string, context: string, lines: readonly string[]): void => {
    writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
    run('docker', ['build', '--quiet', '--tag', tag, context], { env });
  };
  build('node:24-bookworm-slim', nodeContext(), [
    'FROM debian:bookworm-slim',
    'COPY node /usr/local',
    `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
    'CMD ["node"]',
  ]);
  const redis = join(KEPT, 'redis');
  mkdirSync(redis, { recursive: true });
  build('redis:7-bookworm', redis, [
    'FROM debian:bookworm-slim',
    'RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*',
    'CMD ["redis-server"]',
  ]);
}

/** Node with its headers and npm, as the public image has them in /usr/local. */
function nodeContext(): string {
  const context = join(KEPT, 'node-image');
  const into = join(context, 'node');
  if (existsSync(join(into, 'bin/npm'))) return context;
  rmSync(context, { recursive: true, force: true });
  const version =
    /^NODE_PACKAGE_VERSION=(\S+)$/m.exec(readFileSync(join(ROOT, 'scripts/setup.sh'), 'utf8'))?.[1] ?? '';
  const name = `node-linux-${process.arch}`;
  const packages = join(KEPT, 'node-packages');
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  run('npm', ['install', '--prefix', packages, ...options, `${name}@${version}`, 'npm@11']);
  mkdirSync(join(into, 'lib/node_modules'), { recursive: true });
  run('cp', ['-a', `${packages}/node_modules/${name}/bin`, `${packages}/node_modules/${name}/include`, into]);
  run('cp', ['-a', `${packages}/node_modules/npm`, join(into, 'lib/node_modules')]);
  for (const command of ['npx', 'npm']) {
    rmSync(join(into, 'bin', command), { force: true });
    symlinkSync(`../lib/node_modules/npm/bin/${command}-cli.js`, join(into, 'bin', command));
  }
  return context;
}
