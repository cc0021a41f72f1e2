// Captures in an uncompressed tarball are played straight out of it; of a compressed one the replay says what to do.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { dumpTarball } from '../support/map-tarball.ts';
import type { MapPlace } from '../support/map-cli.ts';
import { stamps, type SetShape } from '../support/numbered-set.ts';
import { readPcap } from '../support/pcap-reader.ts';
import { makeMappedSet, playedReport, runReplay } from '../support/replay-cli.ts';
import { tarFile } from '../support/tar-writer.ts';
import type { AfterHook } from '../support/temp-dir.ts';

const SHAPE: SetShape = {
  'a.pcap': stamps(0, 20, 5),
  'b.pcap': stamps(2, 20, 5),
  'c/d.pcap.gz': [50, 50, 100],
};

/** A mapped set, and the same files in a tarball that is mapped too. */
async function given(t: AfterHook): Promise<{ set: MapPlace; tarball: string; dump: string }> {
  const set = await makeMappedSet(t, SHAPE);
  const entries = await Promise.all(
    Object.keys(SHAPE).map(async (name) => {
      const bytes = await readFile(join(set.captures, name));
      return { name, data: name.endsWith('.gz') ? gzipSync(bytes) : bytes };
    }),
  );
  const tarball = join(set.dir, 'set.tar');
  await writeFile(tarball, tarFile(entries, 'pax'));
  return { set, tarball, dump: join(set.dir, 'tar.json') };
}

test('a replay out of an uncompressed tarball sends what the replay of its files sends', async (t) => {
  const { set, tarball, dump } = await given(t);
  await dumpTarball(tarball, dump);
  const [fromFiles, fromTarball] = [join(set.dir, 'files.pcap'), join(set.dir, 'tar.pcap')];
  playedReport(await runReplay(set, ['--out-interface', `file:${fromFiles}`, '--json']));
  await rm(set.captures, { recursive: true });
  const report = playedReport(
    await runReplay({ dump }, ['--out-interface', `file:${fromTarball}`, '--json']),
  );
  assert.deepEqual([report.totals.read, report.totals.sent], [43, 43]);
  const frames = async (path: string): Promise<Buffer[]> =>
    readPcap(await readFile(path)).packets.map(({ data }) => data);
  assert.deepEqual(await frames(fromTarball), await frames(fromFiles));
});

test('a replay out of a compressed tarball is refused with the way out', async (t) => {
  const { tarball, dump } = await given(t);
  const packed = `${tarball}.gz`;
  await writeFile(packed, gzipSync(await readFile(tarball)));
  await dumpTarball(packed, dump);
  const { code, stdout, stderr } = await runReplay({ dump }, ['--out-interface', 'null']);
  assert.equal(code, 1, stderr);
  assert.match(stdout, /lies in a compressed tarball/);
  assert.ok(stdout.includes(`capfleet tarExtract --in-tarball ${packed} --out-dir`), stdout);
});
