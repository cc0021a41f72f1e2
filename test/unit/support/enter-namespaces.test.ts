/** Both ways into private namespaces, from outside, and that nothing stays when the process outside is killed. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  commandInNamespaces,
  inPrivateNamespaces,
  whyNoNamespaces,
  type NamespaceMode,
} from '../../support/enter-namespaces.ts';
import { waitFor } from '../../support/wait-for.ts';

const support = (name: string): string => JSON.stringify(import.meta.resolve(`../../support/${name}`));
const script = (code: string): string[] => ['--input-type=module', '--eval', code];

const WORKER = `
  import { inPrivateNamespaces } from ${support('enter-namespaces.ts')};
  import { createNamespace, linkCounters, vethPair } from ${support('netns.ts')};
  await createNamespace('one');
  await createNamespace('two');
  await vethPair({ a: { ns: 'one', name: 'veth0' }, b: { ns: 'two', name: 'veth1' } });
  const { rxPackets } = await linkCounters('two', 'veth1');
  console.log(JSON.stringify({ mode: inPrivateNamespaces(), uid: process.getuid(), pid: process.pid, rxPackets }));`;

const modes: NamespaceMode[] = ['root', 'user'];
for (const mode of modes) {
  const notRoot = mode === 'root' && process.getuid?.() !== 0 ? 'needs to be root' : undefined;
  const reason = notRoot ?? whyNoNamespaces(mode);
  const skip = reason ?? false;
  if (reason !== undefined) process.stderr.write(`SKIPPED namespaces, mode ${mode}: ${reason}\n`);

  test(`mode ${mode} gives named namespaces and links between them`, { skip }, async () => {
    const { command, args, env } = commandInNamespaces(mode, process.execPath, script(WORKER));
    const { stdout } = await promisify(execFile)(command, args, { env });
    const { uid, ...rest } = JSON.parse(stdout) as {
      mode: string;
      uid: number;
      pid: number;
      rxPackets: number;
    };
    assert.equal(rest.mode, mode);
    assert.equal(uid === 0, mode === 'root');
    assert.equal(rest.rxPackets, 0);
  });

  test(`mode ${mode} ends with the process outside, even when that is killed`, { skip }, async () => {
    const inner = `
      import { createNamespace, spawnIn } from ${support('netns.ts')};
      await createNamespace('one');
      const child = spawnIn('one', 'sleep', ['600']);
      setTimeout(() => {}, 600_000);
      console.log(process.pid, child.pid);`;
    const { command, args, env } = commandInNamespaces(mode, process.execPath, script(inner));
    const outer = `
      import { spawn } from 'node:child_process';
      const { command, args } = JSON.parse(process.argv[1]);
      spawn(command, args, { stdio: 'inherit' });`;
    const child = spawn(process.execPath, [...script(outer), JSON.stringify({ command, args })], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const pids = line.toString().trim().split(' ').map(Number);
    assert.equal(pids.length, 2);
    assert.notEqual(readlinkSync(`/proc/${pids[0]}/ns/mnt`), readlinkSync('/proc/self/ns/mnt'));
    child.kill('SIGKILL');
    await waitFor('the processes in the namespaces to end', () => pids.every(isGone));
  });
}

test('the mark of another place says nothing here', () => {
  const before = process.env['CAPFLEET_NAMESPACES'];
  process.env['CAPFLEET_NAMESPACES'] = 'root:mnt:[1]';
  try {
    assert.equal(inPrivateNamespaces(), null);
  } finally {
    if (before === undefined) delete process.env['CAPFLEET_NAMESPACES'];
    else process.env['CAPFLEET_NAMESPACES'] = before;
  }
});

function isGone(pid: number): boolean {
  try {
    // A zombie has ended, too; whoever inherited it may be slow to collect it.
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
