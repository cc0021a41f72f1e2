// `capfleet edit`: captures written anew with edits, and what is not written told with its cause.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { EditResult } from '../../services/cli/src/edit/edit-captures.ts';
import { program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { assertChecksums } from '../support/edit-frames.ts';
import { numberedFrame, tcpFrame, TCP_ACK } from '../support/frames.ts';
import { host } from '../support/hosts.ts';
import { readPcap, type ReadPcap } from '../support/pcap-reader.ts';
import { cutAt, pcapFile, type PcapHeader, type PcapRecord } from '../support/pcap-writer.ts';
import { tempDir } from '../support/temp-dir.ts';

const conversation = {
  from: host('02:00:00:00:00:01', '10.0.0.1'),
  to: host('02:00:00:00:00:02', '10.0.0.2'),
  fromPort: 4000,
  toPort: 80,
};
const frames = [
  numberedFrame(conversation, 100, 1),
  tcpFrame(conversation, { payload: Buffer.alloc(99, 1), sequence: 1, acknowledgement: 2, flags: TCP_ACK }),
  numberedFrame({ ...conversation, vlan: 7 }, 1000, 2),
];

function capture(data: readonly Uint8Array[], header: Partial<PcapHeader> = {}, wireLength?: number): Buffer {
  const records = data.map((bytes, index): PcapRecord => ({
    seconds: 1_700_000_000 + index,
    fraction: 123_456 + index,
    data: bytes,
    ...(wireLength !== undefined && { wireLength }),
  }));
  return pcapFile(header, records);
}

/** A cooked capture of the untagged frames. */
const cooked = capture(
  frames
    .slice(0, 2)
    .map((frame) =>
      Buffer.concat([Buffer.from('00000001000602000000000100000800', 'hex'), frame.subarray(14)]),
    ),
  { linkType: 113 },
);

interface Place {
  readonly dir: string;
  at(name: string): string;
  /** Edits `in.pcap` to `out.pcap`. */
  run(...args: string[]): Promise<Ended>;
  written(name?: string): Promise<ReadPcap>;
}

async function given(t: TestContext, bytes: Uint8Array): Promise<Place> {
  const dir = await tempDir(t);
  const at = (name: string): string => join(dir, name);
  await writeFile(at('in.pcap'), bytes);
  return {
    dir,
    at,
    run: (...args) => runCapfleet(['edit', '--source', at('in.pcap'), '--out', at('out.pcap'), ...args]),
    written: async (name = 'out.pcap') => readPcap(await readFile(at(name))),
  };
}

describe('capfleet edit', { concurrency: 2 }, () => {
  test('writes every packet edited, with its stamp', async (t) => {
    const { run, written } = await given(t, capture(frames));
    const edits = ['--ip-map', '10.0.0.0/24=192.168.9.0/24', '--port-map', '80=8080', '--ttl', '-1'];
    const headers = ['--mac-src', '02-AA-00-00-00-01', '--vlan-strip', '--vlan-add', '100:3@8021ad'];
    const { code, stdout, stderr } = await run(...edits, ...headers);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^1 capture written to .*out\.pcap: 3 packets read, 3 edited, 0 as they were\n/);
    assert.match(stdout, /next: capfleet map --source/);
    const { packets, resolution, linkType } = await written();
    assert.deepEqual([resolution, linkType], ['ns', 1]);
    assert.deepEqual(
      packets.map(({ time }) => time),
      [0n, 1n, 2n].map((n) => (1_700_000_000n + n) * 1_000_000_000n + (123_456n + n) * 1000n),
    );
    for (const [index, { data }] of packets.entries()) {
      assert.equal(data.length, (frames[index]?.length ?? 0) + (index === 2 ? 0 : 4));
      assert.equal(data.toString('hex', 0, 20), '02000000000202aa0000000188a8606408004500');
      assert.deepEqual([...data.subarray(30, 38)], [192, 168, 9, 1, 192, 168, 9, 2]);
      assert.deepEqual([data[26], data.readUInt16BE(40)], [63, 8080]);
      assertChecksums(data);
    }
  });

  test('leaves what no edit is about as it was, and counts it', async (t) => {
    const { run, written } = await given(t, gzipSync(capture(frames)));
    const { code, stdout } = await run('--vlan-map', '7=8', '--json');
    assert.equal(code, 0);
    const { totals } = JSON.parse(stdout) as EditResult;
    const refused = { 'link-type': 0, 'header-cut': 0, 'not-ethernet': 0, stamp: 0 };
    assert.deepEqual(totals, { read: 3, written: 3, edited: 1, refused });
    const { packets } = await written();
    assert.deepEqual(
      packets.slice(0, 2).map(({ data }) => data),
      frames.slice(0, 2),
    );
    assert.equal(packets[2]?.data.readUInt16BE(14), 8);
  });

  test('pads to the length on the wire, or tells it', async (t) => {
    const cut = frames.slice(0, 2).map((frame) => frame.subarray(0, 60));
    const { run, written } = await given(t, capture(cut, {}, 100));
    assert.equal((await run('--vlan-add', '1')).code, 0);
    assert.deepEqual(
      (await written()).packets.map(({ data, wireLength }) => [data.length, wireLength]),
      [
        [64, 104],
        [64, 104],
      ],
    );
    assert.equal((await run('--pktlen', '--fix-checksums', '--overwrite')).code, 0);
    for (const { data, wireLength } of (await written()).packets)
      assert.deepEqual([data.length, wireLength], [100, 100]);
    assertChecksums((await written()).packets[0]?.data ?? Buffer.alloc(0));
  });

  test('turns a cooked capture into Ethernet, and refuses it without being told', async (t) => {
    const { run, written, dir } = await given(t, cooked);
    const refused = await run();
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /in\.pcap has link type 113[^]*--dlt ethernet/);
    assert.deepEqual(await readdir(dir), ['in.pcap']);
    const { code, stderr } = await run('--dlt', 'ethernet', '--mac-dst', '02:00:00:00:00:02');
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      (await written()).packets.map(({ data }) => data),
      frames.slice(0, 2),
    );
  });

  test('leaves out packets that cannot become Ethernet, by cause', async (t) => {
    const raw = [frames[0]?.subarray(14) ?? Buffer.alloc(0), Buffer.from([0x10, 0]), Buffer.alloc(0)];
    const { run, written } = await given(t, capture(raw, { linkType: 101 }));
    const { code, stdout } = await run('--dlt', 'ethernet');
    assert.equal(code, 3);
    assert.match(stdout, /1 packet not written, cut off in their header\n1 packet not written, of a kind/);
    assert.equal((await written()).packets.length, 1);
  });

  test('writes a folder below another, each capture under its own name', async (t) => {
    const { dir, at, written } = await given(t, capture(frames));
    await mkdir(at('set/day'), { recursive: true });
    await writeFile(at('set/day/a.pcapng.zst'), zstdCompressSync(capture(frames.slice(1))));
    await writeFile(at('set/day/a.pcap.gz'), gzipSync(capture(frames)));
    await writeFile(at('set/notes.txt'), 'no capture');
    const args = ['edit', '--source', at('set'), at('in.pcap'), '--out-dir', at('out'), '--ttl', '9'];
    const { code, stdout, stderr } = await runCapfleet(args);
    assert.equal(code, 3, stderr);
    assert.match(stdout, /^3 captures written[^]*not written +.*notes\.txt is not a capture/);
    const found = await readdir(join(dir, 'out'), { recursive: true });
    assert.deepEqual(found.sort(), ['day', 'day/a#2.pcap', 'day/a.pcap', 'in.pcap']);
    assert.equal((await written('out/day/a.pcap')).packets.length, 3);
    assert.equal((await written('out/day/a#2.pcap')).packets.length, 2);
    const only = await runCapfleet([...args, '--file-regexp', 'a\\.pcap\\.gz$|in', '--overwrite', '--json']);
    assert.equal(only.code, 0, only.stderr);
    assert.equal((JSON.parse(only.stdout) as EditResult).written, 2);
  });

  test('overwrites nothing unless it is told to, and then also what it reads', async (t) => {
    const { run, at, dir } = await given(t, capture(frames));
    await writeFile(at('out.pcap'), 'mine');
    const { code, stderr } = await run('--ttl', '1');
    assert.equal(code, 1);
    assert.match(stderr, /out\.pcap exists already[^]*--overwrite/);
    assert.equal(await readFile(at('out.pcap'), 'utf8'), 'mine');
    const inPlace = ['edit', '--source', at('in.pcap'), '--out', at('in.pcap'), '--ttl', '1', '--overwrite'];
    assert.equal((await runCapfleet(inPlace)).code, 0);
    assert.equal(readPcap(await readFile(at('in.pcap'))).packets[0]?.data[22], 1);
    assert.deepEqual((await readdir(dir)).sort(), ['in.pcap', 'out.pcap']);
  });

  test('keeps what there is of a capture that is cut off', async (t) => {
    const whole = capture(frames);
    const { run, written } = await given(t, cutAt(whole, whole.length - 1));
    const { code, stdout } = await run('--ttl', '1');
    assert.equal(code, 3);
    assert.match(stdout, /cut off +.*in\.pcap/);
    assert.equal((await written()).packets.length, 2);
  });

  test('says what it cannot do', async (t) => {
    const { run, at } = await given(t, Buffer.from('no capture'));
    assert.match((await run()).stderr, /in\.pcap is not a capture/);
    await writeFile(at('b.pcap'), capture(frames));
    const two = ['edit', '--source', at('in.pcap'), at('b.pcap'), '--out', at('out.pcap')];
    const { code, stderr } = await runCapfleet(two);
    assert.equal(code, 2);
    assert.match(stderr, /--out: it takes one capture, there are 2; --out-dir takes many/);
    const nowhere = await runCapfleet(['edit', '--source', at('b.pcap'), '--out', 's3://bucket/']);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /s3:\/\/bucket\/ does not name a place in S3/);
    const missing = await runCapfleet(['edit', '--source', at('none'), '--out', at('out.pcap')]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /none/);
  });

  test('takes memory that does not grow with the capture, and leaves nothing when it is stopped', async (t) => {
    const { at, dir } = await given(t, capture([]));
    // 100 MB of frames of zeros.
    const record = Buffer.alloc(16 + 250_000);
    record.writeUInt32LE(250_000, 8);
    record.writeUInt32LE(250_000, 12);
    const file = await open(at('in.pcap'), 'a');
    for (let index = 0; index < 400; index += 1) await file.write(record);
    await file.close();
    const child = spawn(process.execPath, [
      program,
      'edit',
      '--source',
      at('in.pcap'),
      '--out',
      at('out.pcap'),
      '--mac-src',
      '02:00:00:00:00:01',
    ]);
    let peak = 0;
    const timer = setInterval(() => {
      readFile(`/proc/${String(child.pid)}/status`, 'utf8').then(
        (status) => (peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? peak)),
        () => undefined,
      );
    }, 20);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearInterval(timer);
    assert.equal(code, 0);
    assert.equal((await stat(at('out.pcap'))).size, (await stat(at('in.pcap'))).size);
    assert.ok(peak < 250_000, `${peak} KiB`);

    const stopped = spawn(process.execPath, [
      program,
      'edit',
      '--source',
      at('in.pcap'),
      '--out',
      at('never.pcap'),
    ]);
    const isWriting = async (): Promise<boolean> =>
      (await readdir(dir)).some((name) => name.endsWith('.tmp'));
    while (!(await isWriting()) && stopped.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 2));
    stopped.kill('SIGINT');
    const [stoppedCode] = (await once(stopped, 'exit')) as [number | null];
    assert.ok(stoppedCode === 130 || stoppedCode === 0);
    const expected = ['in.pcap', ...(stoppedCode === 0 ? ['never.pcap'] : []), 'out.pcap'];
    assert.deepEqual((await readdir(dir)).sort(), expected);
  });

  test('writes over no capture that is still to be read, and over nothing that is no file', async (t) => {
    const dir = await tempDir(t);
    const [packed, plain, pipe] = ['a.pcap.gz', 'a.pcap', 'pipe'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(packed, gzipSync(capture(frames)));
    await writeFile(plain, capture(frames.slice(1)));
    const before = await readFile(plain);
    const args = ['--source', packed, plain, '--out-dir', dir, '--overwrite', '--ttl', '9', '--json'];
    const { code, stdout } = await runCapfleet(['edit', ...args]);
    const { files } = JSON.parse(stdout) as { readonly files: EditResult['captures'] };
    assert.equal(code, 3);
    const [first] = files;
    assert.ok(first && 'error' in first);
    assert.match(first.error.message, /a\.pcap.* it is a capture that is still to be read/);
    assert.ok(before.equals(await readFile(plain)), 'it is read, and written elsewhere');

    await promisify(execFile)('mkfifo', [pipe]);
    const into = await runCapfleet(['edit', '--source', plain, '--out', pipe, '--overwrite']);
    assert.match(into.stderr, /is not written: /);
    assert.ok((await stat(pipe)).isFIFO());
  });
});
