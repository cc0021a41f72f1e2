// Maps a set of real captures of four capture threads and holds it against capinfos, file by file to the last digit,
// against the truth that comes with the set, and against the flows in it.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { runCapfleet } from '../support/capfleet.ts';
import { flowHash } from '../support/flow-hash.ts';
import type { DumpView } from '../support/map-cli.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { parseTruthTime, type Truth } from '../support/capture-truth.ts';

const captures = process.env['CAPFLEET_CAPTURES'] ?? resolve(import.meta.dirname, '../../../shared/captures');
const folder = join(captures, 'threads4');
const skip = existsSync(folder) ? false : `no captures of four threads at ${folder}`;
const noCapinfos = skip || (spawnSync('capinfos', ['--version']).status === 0 ? false : 'no capinfos here');
for (const reason of new Set([skip, noCapinfos])) {
  if (reason !== false) process.stderr.write(`SKIPPED ${import.meta.filename}: ${reason}\n`);
}

/** True for IPv4 and IPv6, in up to two VLAN tags. */
function isInternet(frame: Buffer): boolean {
  const types = [12, 16, 20].map((at) => (frame.length >= at + 2 ? frame.readUInt16BE(at) : 0));
  const type = types.find((each) => each !== 0x8100 && each !== 0x88a8);
  return type === 0x0800 || type === 0x86dd;
}

describe('the map of four capture threads', () => {
  let dump: DumpView;
  let names: string[] = [];
  const laneOf = new Map<string, number>();

  before(async () => {
    if (skip !== false) return;
    names = globSync('*.pcap.gz', { cwd: folder }).sort();
    const { code, stdout, stderr } = await runCapfleet(['map', '--dir-src', folder, '--dump-json', '-']);
    assert.equal(code, 0, stderr);
    dump = JSON.parse(stdout) as DumpView;
    for (const { capfleet, lane } of dump.files) laneOf.set(capfleet.name, lane);
  });

  test('has every file, in four lanes', { skip }, () => {
    assert.deepEqual([...laneOf.keys()].sort(), names);
    assert.equal(dump.capfleet.lanes, 4);
  });

  test('says of every file what capinfos says', { skip: noCapinfos }, async () => {
    const paths = names.map((name) => join(folder, name));
    const { stdout } = await promisify(execFile)('capinfos', [
      '-T',
      '-r',
      '-S',
      '-c',
      '-d',
      '-a',
      '-e',
      ...paths,
    ]);
    const expected = new Map<string, unknown>();
    for (const line of stdout.trim().split('\n')) {
      const [path = '', packets, bytes, first = '', last = ''] = line.split('\t');
      expected.set(basename(path), {
        packets: Number(packets),
        wireBytes: Number(bytes),
        first: String(parseTruthTime(first)),
        last: String(parseTruthTime(last)),
      });
    }
    const found = dump.files.map(({ capfleet: { name, packets, wireBytes, first, last } }) => {
      return [name, { packets, wireBytes, first, last }] as const;
    });
    assert.equal(expected.size, names.length);
    assert.deepEqual(new Map(found.toSorted()), new Map([...expected].toSorted()));
  });

  test('puts the files of one thread into one lane, and those of two into two', { skip }, async (t) => {
    const truth = JSON.parse(await readFile(join(folder, 'truth.json'), 'utf8')) as Truth;
    const threadBySum = new Map(truth.files.map(({ sha256, worker }) => [sha256, worker]));
    const pairs = new Set<string>();
    let known = 0;
    for (const name of names) {
      const sum = createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest('hex');
      const thread = threadBySum.get(sum);
      if (thread === undefined) continue;
      known++;
      pairs.add(`thread ${thread} in lane ${laneOf.get(name) ?? '?'}`);
    }
    t.diagnostic(`the truth knows ${known} of ${names.length} files`);
    assert.ok(known > 0, 'the truth knows some of the files');
    assert.equal(pairs.size, truth.workers, [...pairs].sort().join(', '));
  });

  test('has no flow in two lanes, and counts captured bytes right', { skip }, async () => {
    const lanesOfFlow = new Map<number, Set<number>>();
    for (const { capfleet: file, lane } of dump.files) {
      const { packets } = readPcap(gunzipSync(await readFile(file.path)));
      assert.equal(
        file.capturedBytes,
        packets.reduce((sum, { data }) => sum + data.length, 0),
        file.name,
      );
      for (const { data } of packets) {
        // What is not IP has no five-tuple; this set's maker spread it in a way of its own.
        if (!isInternet(data)) continue;
        const flow = flowHash(data);
        const lanes = lanesOfFlow.get(flow) ?? new Set();
        lanesOfFlow.set(flow, lanes.add(lane));
      }
    }
    const torn = [...lanesOfFlow.values()].filter((lanes) => lanes.size > 1);
    assert.ok(lanesOfFlow.size > 1000);
    assert.equal(torn.length, 0, `${torn.length} of ${lanesOfFlow.size} flows lie in several lanes`);
  });
});
