// Compiles the two native addons for the Node that runs this script: the replayer's own sending core, without
// which a build has failed, and the npm package `pcap`, which is optional and only warned about.
// An addon whose sources, and Node, are those of its last build is left alone. Quiet unless something was
// done; a failure prints the compiler's whole output. `--force` builds again.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Addon {
  name: string;
  folder: string;
  optional: boolean;
  /** What is lost without it, for the warning. */
  loss: string;
}

type Attempt = { ok: true } | { ok: false; output: string };

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_GYP = join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js');
/** The one that must not fail comes last, so that its output ends the log. */
const ADDONS: Addon[] = [
  {
    name: 'npm package pcap',
    folder: join(ROOT, 'node_modules/pcap'),
    optional: true,
    loss: 'its link and capturing through it are not available',
  },
  {
    name: 'replayer core',
    folder: join(ROOT, 'services/replayer/native'),
    optional: false,
    loss: 'sending packets does not work',
  },
];

/** The headers that lie beside the running Node, if they are those of its very version. */
function localHeaders(): string | undefined {
  const prefix = dirname(dirname(process.execPath));
  const file = join(prefix, 'include/node/node_version.h');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return version.join('.') === process.versions.node ? prefix : undefined;
}

/**
 * The environment for node-gyp. npm hands a user's `nodedir` setting down to scripts; it names the headers of
 * one fixed Node, not of the one that runs, so it must not reach the compiler.
 */
function buildEnvironment(headers: string | undefined): NodeJS.ProcessEnv {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(package_)?config_(node_gyp_)?nodedir$/i.test(name),
    ),
  );
  return headers === undefined ? env : { ...env, npm_config_nodedir: headers };
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/^(build|node_modules)\//.test(file.slice(folder.length + 1)))
    .sort();
}

/** Changes whenever a build could come out differently, libpcap's arrival included. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  hash.update([process.versions.node, process.versions.modules, process.platform, process.arch].join(' '));
  hash.update(String(existsSync('/usr/include/pcap.h')));
  for (const file of sourceFiles(folder)) {
    hash.update(`\0${file.slice(folder.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function run(args: string[], env: NodeJS.ProcessEnv): Attempt {
  const child = spawnSync(process.execPath, args, {
    env,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status === 0) return { ok: true };
  const reason = child.error?.message ?? (child.signal === null ? '' : `ended by ${child.signal}`);
  return { ok: false, output: [child.stdout, child.stderr, reason].filter(Boolean).join('\n') };
}

function compile({ folder }: Addon): Attempt {
  const headers = localHeaders();
  const rebuild = [NODE_GYP, 'rebuild', '-C', folder, '--jobs=max'];
  if (headers === undefined) return run(rebuild, buildEnvironment(undefined));
  // Through a link, because make cannot cope with a checkout whose path has a space.
  const scratch = mkdtempSync(join(tmpdir(), 'capfleet-build-'));
  try {
    const link = join(scratch, 'node');
    symlinkSync(headers, link);
    return run([...rebuild, `--nodedir=${link}`], buildEnvironment(link));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** A binary built against another Node's headers compiles well and fails here. */
function tryToLoad({ folder }: Addon): Attempt {
  const release = join(folder, 'build/Release');
  const binaries = existsSync(release) ? readdirSync(release).filter((name) => name.endsWith('.node')) : [];
  if (binaries.length === 0) return { ok: false, output: `no .node file in ${release}` };
  return run(
    [
      '-e',
      'process.argv.slice(1).forEach((file) => require(file))',
      ...binaries.map((name) => join(release, name)),
    ],
    process.env,
  );
}

/** False if the build as a whole has failed with this addon. */
function bringUpToDate(addon: Addon, force: boolean): boolean {
  // npm leaves an optional package out where it was told to.
  if (addon.optional && !existsSync(addon.folder)) return true;
  const stampFile = join(addon.folder, 'build/.capfleet-stamp');
  const wanted = fingerprint(addon.folder);
  const stamp = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '';
  if (!force && stamp === wanted) return true;
  // A failed optional build is not tried again at every start, only when something has changed.
  if (!force && addon.optional && stamp === `failed ${wanted}`) return true;

  const started = Date.now();
  const compiled = compile(addon);
  const result = compiled.ok ? tryToLoad(addon) : compiled;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  mkdirSync(dirname(stampFile), { recursive: true });
  if (result.ok) {
    writeFileSync(stampFile, wanted);
    console.error(`build-native: ${addon.name} built in ${seconds} s`);
    return true;
  }
  console.error(result.output);
  if (!addon.optional) {
    console.error(`build-native: ${addon.name} could not be built: ${addon.loss}`);
    return false;
  }
  writeFileSync(stampFile, `failed ${wanted}`);
  console.error(
    `build-native: warning: ${addon.name} could not be built: ${addon.loss}; all else works. ` +
      'Try again with `npm run build -- --force`.',
  );
  return true;
}

const force = process.argv.includes('--force');
const results = ADDONS.map((addon) => bringUpToDate(addon, force));
process.exitCode = results.every(Boolean) ? 0 : 1;
