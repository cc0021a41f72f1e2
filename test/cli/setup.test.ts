// The set-up where it has something to refuse, and where it has nothing to do. Installing is not tried here:
// that is what a run of the tests on a fresh machine has just done.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { tempDir } from '../support/temp-dir.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const LINK = join(ROOT, 'node_modules/.bin/node');
/** Enough for the script itself; gcc, redis-server and the like are not among them. */
const TOOLS = [
  'cat',
  'date',
  'dirname',
  'grep',
  'id',
  'mkdir',
  'rm',
  'sed',
  'sh',
  'sort',
  'tail',
  'tr',
  'uname',
];

function runSetup(root: string, args: string[], env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync('/bin/sh', [join(root, 'scripts/setup.sh'), ...args], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

interface LockedPackage {
  optionalDependencies?: Record<string, string>;
}

describe('setup.sh', () => {
  test('names what to install on a system that it does not know, and stops', async (t) => {
    const root = await tempDir(t);
    mkdirSync(join(root, 'bin'));
    mkdirSync(join(root, 'scripts'));
    copyFileSync(join(ROOT, 'scripts/setup.sh'), join(root, 'scripts/setup.sh'));
    for (const tool of TOOLS) {
      const path = ['/usr/bin', '/bin'].map((folder) => join(folder, tool)).find((file) => existsSync(file));
      assert.ok(path !== undefined, `${tool} is not on this machine`);
      symlinkSync(path, join(root, 'bin', tool));
    }
    writeFileSync(join(root, 'os-release'), 'ID=plan9\n');

    const { status, stdout, stderr } = runSetup(root, ['test'], {
      PATH: join(root, 'bin'),
      CAPFLEET_OS_RELEASE: join(root, 'os-release'),
    });

    assert.equal(status, 1, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /not Debian or Ubuntu/);
    assert.match(
      stderr,
      /Debian, Ubuntu: apt-get install .*\bredis-server\b.*\bg\+\+ .*wireshark-common tcpreplay$/m,
    );
    assert.match(stderr, /Fedora: +dnf install .*\bgcc-c\+\+ .*\bwireshark-cli\b/);
    assert.match(stderr, /Arch: +pacman -S .*\bvalkey\b/);
    assert.match(stderr, /Alpine: +apk add .*\bbuild-base\b/);
    assert.equal(existsSync(join(root, 'node_modules')), false);
  });

  test('has next to nothing to do the second time', () => {
    const linked = existsSync(LINK);
    assert.equal(runSetup(ROOT, ['demo'], process.env).status, 0);
    const started = performance.now();
    const { status, stdout, stderr } = runSetup(ROOT, ['demo'], process.env);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, '');
    assert.ok(performance.now() - started < 5000);
    // The tests may run on the Node that set-up fetched; it must not take that for the machine's own.
    assert.equal(existsSync(LINK), linked);
  });

  test('asks for a purpose', () => {
    const { status, stderr } = runSetup(ROOT, ['everything'], process.env);
    assert.deepEqual([status, stderr], [2, 'usage: sh scripts/setup.sh demo|test|dev\n']);
  });
});

test('the lock file lists the optional packages of every platform', () => {
  // npm ci refuses a lock file in which one is missing that the registry has.
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !isLocked(packages, path, name))
      .map((name) => `${path} -> ${name}`),
  );
  assert.deepEqual(missing, []);
});

/** Looks where Node would look: beside the package, then in the node_modules of every folder above it. */
function isLocked(packages: Record<string, unknown>, from: string, name: string): boolean {
  const parts = from.split('/');
  return parts
    .map((_, i) => parts.slice(0, i + 1).join('/'))
    .concat('')
    .some((folder) => `${folder === '' ? '' : `${folder}/`}node_modules/${name}` in packages);
}
