// `capfleet verify` over somebody else's replay: tcpreplay sends, tcpdump receives, and the comparison knows neither.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { runCapfleet } from '../support/capfleet.ts';
import { enterNamespaces } from '../support/enter-namespaces.ts';
import { numberedFrame } from '../support/frames.ts';
import { createNamespace, removeNamespace, runIn, vethPair } from '../support/netns.ts';
import { numberedConversation } from '../support/numbered-set.ts';
import { pcapFile } from '../support/pcap-writer.ts';
import { startReceiver } from '../support/receive.ts';
import { tempDir } from '../support/temp-dir.ts';

const noTcpreplay = spawnSync('tcpreplay', ['--version']).status !== 0 && 'tcpreplay is not installed';
const skip = (await enterNamespaces(import.meta)) || noTcpreplay;
const NS = 'verify-other';

test(
  'a replay by tcpreplay is held against its capture, at its speed and in its loops',
  { skip },
  async (t) => {
    await createNamespace(NS);
    t.after(() => removeNamespace(NS));
    await vethPair({ a: { ns: NS, name: 'out0' }, b: { ns: NS, name: 'far0' } });
    const dir = await tempDir(t);
    const source = join(dir, 'source.pcap');
    const packets = Array.from({ length: 100 }, (_, number) => ({
      seconds: 1_700_000_000,
      fraction: number * 1000,
      data: numberedFrame(numberedConversation, 60 + number, number),
    }));
    await writeFile(source, pcapFile({}, packets));
    const received = join(dir, 'received.pcap');
    const receiver = await startReceiver({ ns: NS, iface: 'far0', file: received });
    await runIn(NS, 'tcpreplay', ['--intf1=out0', '--multiplier=2', '--loop=3', source]);
    await receiver.stop();
    const args = ['--source', source, '--received', received, '--time-modifier', '2', '--json'];
    const { code, stdout, stderr } = await runCapfleet(['verify', ...args, '--loop-count', '3']);
    assert.equal(code, 0, stdout + stderr);
    const { sent, matched, foreign, order, timing, duration } = JSON.parse(stdout) as Comparison;
    assert.deepEqual([sent, matched, foreign, order.displaced], [300, 300, 0, 0]);
    assert.equal(duration.planned, 3 * 49_500_000);
    // How well it went is a matter of the machine.
    assert.ok(timing && timing.deviation.max < 10e9);

    const once = await runCapfleet(['verify', ...args]);
    const found = JSON.parse(once.stdout) as Comparison;
    assert.deepEqual(
      [once.code, found.matched, found.duplicated],
      [4, 100, 200],
      'two loops are not in the plan',
    );
  },
);
