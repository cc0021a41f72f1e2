/** Real traffic made on the spot is small enough, has frames of a real wire, pauses, and many flows. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { makeLiveCapture } from '../../../scripts/demo/live-traffic.ts';
import { writeCaptureThreads } from '../../support/capture-threads.ts';
import { enterNamespaces } from '../../support/enter-namespaces.ts';
import { flowHash } from '../../support/flow-hash.ts';
import { readPcap } from '../../support/pcap-reader.ts';
import { rotateBytesFor } from '../../support/rotate-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { sortedByTime } from '../../support/timed-packets.ts';

const skip = await enterNamespaces(import.meta);

test('two seconds of live traffic', { skip }, async (t) => {
  const dir = await tempDir(t);
  const lines: string[] = [];
  const facts = await makeLiveCapture({ seconds: 2, dir, log: (line) => lines.push(line) });
  const { packets, resolution, linkType } = readPcap(await readFile(facts.path));
  assert.equal(resolution, 'ns');
  assert.equal(linkType, 1);
  assert.equal(facts.packets, packets.length);
  assert.ok(facts.packets > 1000 && facts.packets < 10_000, `${facts.packets} packets`);
  assert.equal(facts.largestFrame, 1514);
  assert.ok(facts.seconds > 0.5 && facts.seconds < 6, `${facts.seconds} s`);
  assert.ok(new Set(packets.map(({ data }) => flowHash(data))).size > 100);
  assert.match(lines.at(-1) ?? '', /^captured \d+ packets/);
  assert.deepEqual(await readdir('/run/netns'), []);
  assert.deepEqual(await readdir(dir), ['live.pcap']);

  const truth = await writeCaptureThreads({
    packets: sortedByTime(packets),
    threads: 4,
    rotateBytes: rotateBytesFor(packets, 4, [2, 3, 3, 4]),
    dir,
    header: { magic: resolution },
  });
  assert.equal(truth.packets, packets.length);
  assert.ok(truth.files.length > 4, `only ${truth.files.length} files`);
});
