// `capfleet doctor` on real hosts: this one as root in a network namespace, prepared, and bare, as a process without rights.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '@capfleet/cli/doctor/judge-host';
import { program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { createNamespace, vethPair } from '../support/netns.ts';
import { startRedis } from '../support/redis-server.ts';
import { tempDir } from '../support/temp-dir.ts';

const skip = await enterNamespaces(import.meta);

function verdicts({ stdout, stderr }: Ended): Map<string, Finding['verdict']> {
  assert.equal(stderr, '');
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return new Map(findings.map(({ check, verdict }) => [check, verdict]));
}

test('a prepared host, its Redis and its source have no error', { skip }, async (t) => {
  await createNamespace('doctor');
  await vethPair({ a: { ns: 'doctor', name: 'near' }, b: { ns: 'doctor', name: 'far' } });
  const redis = await startRedis(t, { appendOnly: true });
  const inNamespace = ['ip', 'netns', 'exec', 'doctor', process.execPath, program];
  const where = ['--interface', 'near', '--redis', redis.url, '--source', await tempDir(t)];
  const ended = await runCapfleet(['doctor', ...where, '--json'], { through: inNamespace });
  assert.equal(ended.code, 0, ended.stdout);
  const found = verdicts(ended);
  for (const check of ['native core', 'raw packets', 'interface near', 'Redis', 'Redis: persistence'])
    assert.equal(found.get(check), 'ok', check);
});

/** As `ethtool -K IF gro on|off`, which is not everywhere: SIOCETHTOOL with ETHTOOL_SGRO. */
const SET_GRO = `
import array, fcntl, socket, struct, sys
value = array.array('B', struct.pack('II', 0x2c, int(sys.argv[2])))
request = struct.pack('16sP', sys.argv[1].encode(), value.buffer_info()[0])
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request.ljust(40, b'\\0'))`;

test('an interface that merges what arrives is told', { skip }, async () => {
  await createNamespace('merging');
  await vethPair({ a: { ns: 'merging', name: 'near' }, b: { ns: 'merging', name: 'far' } });
  const inNamespace = ['ip', 'netns', 'exec', 'merging'];
  for (const [merges, verdict] of [
    ['1', 'warning'],
    ['0', 'ok'],
  ] as const) {
    const set = spawnSync('nsenter', ['--net=/run/netns/merging', 'python3', '-c', SET_GRO, 'near', merges], {
      encoding: 'utf8',
    });
    assert.equal(set.status, 0, set.stderr);
    const through = [...inNamespace, process.execPath, program];
    const ended = await runCapfleet(['doctor', '--interface', 'near', '--json'], { through });
    assert.equal(verdicts(ended).get('offloads of near'), verdict);
  }
});

test('a bare one is told what it may not do, and how to mend it', async (t) => {
  const source = await tempDir(t);
  await writeFile(join(source, 'a.pcap'), '', { mode: 0 });
  const dropped = ['setpriv', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all', '--'];
  const args = ['doctor', '--interface', 'nowhere', '--redis', 'redis://127.0.0.1:1', '--source', source];
  const through = [...(process.getuid?.() === 0 ? dropped : []), process.execPath, program];
  const ended = await runCapfleet([...args, '--json'], { through });
  assert.equal(ended.code, 1);
  const found = verdicts(ended);
  for (const check of ['raw packets', 'interface nowhere', 'Redis', `source ${source}`])
    assert.equal(found.get(check), 'error', check);
  const words = await runCapfleet(args, { through });
  assert.match(words.stdout, /^error {4}raw packets .*\n +→ run it as the unit of deploy\/host does/m);
  assert.match(words.stdout, /\n4 errors, /);
});
