// The launcher of `capfleet` on a Node that is too old, in a checkout that is not built or not installed. The
// old Node is a recent one that claims another version; the checkout is a temporary folder with the launcher.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { tempDir } from '../support/temp-dir.ts';
import type { AfterHook } from '../support/temp-dir.ts';

const LAUNCHER = 'services/cli/bin/capfleet.mjs';
const ROOT = resolve(import.meta.dirname, '../..');

interface Checkout {
  root: string;
  /** What comes before the launcher so that Node claims to be 18.20.4. */
  old: string[];
}

async function makeCheckout(t: AfterHook, main?: string): Promise<Checkout> {
  const root = await tempDir(t);
  for (const folder of [dirname(LAUNCHER), 'services/cli/dist', 'node_modules/.bin']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync(join(ROOT, LAUNCHER), join(root, LAUNCHER));
  writeFileSync(join(root, 'services/cli/package.json'), '{ "type": "module" }');
  if (main !== undefined) writeFileSync(join(root, 'services/cli/dist/main.js'), main);
  const pretence = join(root, 'pretend.mjs');
  writeFileSync(
    pretence,
    `if (process.env.PRETEND_AGAIN || !process.env.CAPFLEET_NODE_CHOSEN)
       Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });`,
  );
  return { root, old: ['--import', pretence] };
}

function bundleNode(root: string): void {
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'));
}

function launch(root: string, nodeArgs: string[], args: string[], env: Record<string, string> = {}) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeArgs, join(root, LAUNCHER), ...args],
    { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 30_000 },
  );
  return { status, signal, stdout, stderr };
}

describe('capfleet', () => {
  test('hands its arguments and exit code through', async (t) => {
    const { root } = await makeCheckout(t, 'console.log(process.argv.slice(2)); process.exitCode = 7;');
    assert.deepEqual(launch(root, [], ['map', 'a b']), {
      status: 7,
      signal: null,
      stdout: "[ 'map', 'a b' ]\n",
      stderr: '',
    });
  });

  test('says in one line that it is not built', async (t) => {
    const { root } = await makeCheckout(t);
    const { status, stderr } = launch(root, [], []);
    assert.equal(status, 1);
    assert.equal(stderr, 'capfleet: not built: run `npm run build`\n');
  });

  test('says in one line that a package is missing', async (t) => {
    const { root } = await makeCheckout(t, `import 'no-such-package';`);
    const { status, stderr } = launch(root, [], []);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^capfleet: not completely installed: run `npm run setup` \(.*no-such-package.*\)\n$/,
    );
  });
});

describe('capfleet on a Node that is too old', () => {
  test('says so in one line when there is no other', async (t) => {
    const { root, old } = await makeCheckout(t, '');
    const { status, stdout, stderr } = launch(root, old, ['map']);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^capfleet: needs Node 24 .*this is 18\.20\.4.*\n$/);
  });

  test('runs again on the one that set-up fetched', async (t) => {
    const { root, old } = await makeCheckout(t, 'console.log(process.argv[2]); process.exitCode = 5;');
    bundleNode(root);
    assert.deepEqual(launch(root, old, ['replay']), {
      status: 5,
      signal: null,
      stdout: 'replay\n',
      stderr: '',
    });
  });

  test('does not run again and again when that one is too old as well', async (t) => {
    const { root, old } = await makeCheckout(t, '');
    bundleNode(root);
    const { status, stderr } = launch(root, old, [], { PRETEND_AGAIN: '1' });
    assert.equal(status, 1);
    assert.match(stderr, /^capfleet: needs Node 24 .*\n$/);
  });

  test('ends by the signal that ended the program', async (t) => {
    const { root, old } = await makeCheckout(
      t,
      `process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1e3);`,
    );
    bundleNode(root);
    assert.equal(launch(root, old, []).signal, 'SIGTERM');
  });

  test('passes a signal on and waits for the program to end', async (t) => {
    const { root, old } = await makeCheckout(
      t,
      `process.on('SIGINT', () => setTimeout(() => { console.log('cleaned up'); process.exit(3); }, 50));
       console.log('ready'); setInterval(() => {}, 1e3);`,
    );
    bundleNode(root);
    const [code, stdout] = await signalled(root, old, { ready: 'SIGINT' });
    assert.deepEqual([code, stdout], [3, 'ready\ncleaned up\n']);
  });

  test('passes on the signals that pause and continue', async (t) => {
    const { root, old } = await makeCheckout(
      t,
      `process.on('SIGUSR1', () => console.log('paused'));
       process.on('SIGCONT', () => { console.log('goes on'); process.exit(0); });
       console.log('ready'); setInterval(() => {}, 1e3);`,
    );
    bundleNode(root);
    const [code, stdout] = await signalled(root, old, { ready: 'SIGUSR1', paused: 'SIGCONT' });
    assert.deepEqual([code, stdout], [0, 'ready\npaused\ngoes on\n']);
  });
});

/** Launches, sends a signal at each word that the program says, and gives its exit code and all that it said. */
async function signalled(
  root: string,
  args: readonly string[],
  signals: Readonly<Record<string, NodeJS.Signals>>,
): Promise<[code: number | null, stdout: string]> {
  const child = spawn(process.execPath, [...args, join(root, LAUNCHER)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const [word, signal] of Object.entries(signals)) if (text.includes(word)) child.kill(signal);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return [code, stdout];
}
