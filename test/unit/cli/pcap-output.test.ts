import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createPcapOutput } from '@capfleet/cli/pcap-output';
import { patterned } from '../../support/patterned.ts';
import { readPcap } from '../../support/pcap-reader.ts';
import { tempDir } from '../../support/temp-dir.ts';

const BASE = 1_600_000_000_999_999_999n;

describe('a pcap of due times', () => {
  test('has each frame at base, origin and due time, to the nanosecond', async (t) => {
    const path = join(await tempDir(t), 'out.pcap');
    const output = createPcapOutput(path, BASE);
    const frame = patterned(200);
    const dues = [0, 1, 2, 999_999_999, 2 ** 51 + 1, -5, -1_000_000_001];
    output.sink.origin(0n);
    for (const [index, due] of dues.entries()) assert.ok(output.sink.frame(due, frame, index, 60 + index));
    output.sink.origin(10n ** 18n + 1n);
    output.sink.frame(7, frame, 0, 60);
    output.sink.end();
    output.commit();
    const { resolution, linkType, packets } = readPcap(await readFile(path));
    assert.deepEqual([resolution, linkType], ['ns', 1]);
    assert.deepEqual(
      packets.map(({ time }) => time - BASE),
      [...dues.map(BigInt), 10n ** 18n + 8n],
    );
    for (const [index, { data, wireLength }] of packets.slice(0, -1).entries()) {
      assert.deepEqual(data, Buffer.from(frame.subarray(index, 60 + 2 * index)));
      assert.equal(wireLength, data.length);
    }
    assert.deepEqual(output.span, { first: BASE - 1_000_000_001n, last: BASE + 10n ** 18n + 8n });
  });

  test('tells a due time that no calendar has', async (t) => {
    const output = createPcapOutput(join(await tempDir(t), 'out.pcap'), BASE);
    output.sink.origin(10n ** 24n);
    assert.throws(() => output.sink.frame(0, Buffer.alloc(60), 0, 60), {
      code: 'stamp-unwritable',
      message: /beyond the year 9999/,
    });
    output.discard();
  });

  test('is put in place whole, or leaves the old file and nothing else', async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, 'out.pcap');
    await writeFile(path, 'old');
    await chmod(path, 0o640);
    await symlink(path, join(dir, 'link'));
    const output = createPcapOutput(join(dir, 'link'), BASE);
    // Beyond what is kept before it is written.
    for (let n = 0; n < 3000; n += 1) output.sink.frame(n, Buffer.alloc(1000), 0, 1000);
    assert.equal(await readFile(path, 'utf8'), 'old');
    output.discard();
    output.discard();
    assert.deepEqual((await readdir(dir)).sort(), ['link', 'out.pcap']);
    const again = createPcapOutput(join(dir, 'link'), BASE);
    for (let n = 0; n < 3000; n += 1) again.sink.frame(n, Buffer.alloc(1000), 0, 1000);
    again.sink.end();
    again.commit();
    again.discard();
    assert.equal(readPcap(await readFile(path)).packets.length, 3000);
    assert.equal((await stat(path)).mode & 0o777, 0o640);
    assert.deepEqual((await readdir(dir)).sort(), ['link', 'out.pcap']);
  });

  test('is refused where it cannot be written', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'folder'));
    for (const [path, reason] of [
      [join(dir, 'gone/out.pcap'), /ENOENT/],
      [join(dir, 'folder'), /it is a folder/],
      ['/dev/null', /no regular file/],
    ] as const) {
      assert.throws(() => createPcapOutput(path, BASE), { code: 'capture-unwritable', message: reason });
    }
  });

  test('refuses times that it cannot hold', async (t) => {
    const path = join(await tempDir(t), 'out.pcap');
    const output = createPcapOutput(path, 4_294_967_295n * 1_000_000_000n);
    output.sink.frame(999_999_999, Buffer.alloc(60), 0, 60);
    const late = (): boolean => output.sink.frame(1_000_000_000, Buffer.alloc(60), 0, 60);
    assert.throws(late, { code: 'stamp-unwritable', message: /2106-02-07T06:28:16/ });
    output.discard();
  });
});
