// `capfleet map` with what is found in real folders: files that are no captures, cut off, empty, strangely named.
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { lz4Frame, zstdFrame } from '../support/compress.ts';
import { nobody } from '../support/nobody.ts';
import { makeMapPlace, readDumpFile, runMap, OLD_DUMP } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import {
  cutAt,
  pcapFile,
  pcapHeader,
  plainPcap,
  withCapturedLength,
  withMagic,
} from '../support/pcap-writer.ts';
import { blocks } from '../support/pcapng-writer.ts';

const packet = (second: number, length = 60) => ({
  seconds: 1_700_000_000 + second,
  fraction: 0,
  data: Buffer.alloc(length, second),
});
const sound = pcapFile({}, [packet(0), packet(1), packet(2)]);
const ng = blocks('le');
const ngPacket = (second: bigint): Buffer =>
  ng.enhanced({ stamp: 1_700_000_000_000_000n + second, data: Buffer.alloc(60) });
const ALL = ['--file-suffix', ''];

interface Oddity {
  content: Uint8Array;
  /** What the dump says: status and packets of a mapped file, or the code of the failure. */
  status: 'ok' | 'partial' | 'failed' | 'empty';
  detail: number | string;
  /** What the user reads about it. */
  said: RegExp | null;
}

const oddities: Record<string, Oddity> = {
  'nothing.pcap': {
    content: Buffer.alloc(0),
    status: 'failed',
    detail: 'capture-empty',
    said: /is empty \(0 bytes\)/,
  },
  'ten-bytes.pcap': {
    content: cutAt(sound, 10),
    status: 'failed',
    detail: 'capture-too-short',
    said: /too short to be a capture \(10 bytes\)/,
  },
  'wrong-magic.pcap': {
    content: withMagic(sound, 0xdeadbeef),
    status: 'failed',
    detail: 'capture-unknown',
    said: /begins with de ad be ef/,
  },
  'section.pcapng': {
    content: Buffer.concat([ng.section(), ng.interface()]),
    status: 'empty',
    detail: 0,
    said: /holds no packet/,
  },
  'no-stamps.pcapng': {
    content: Buffer.concat([ng.section(), ng.interface(), ng.simple(Buffer.alloc(60))]),
    status: 'empty',
    detail: 1,
    said: /no packet of the capture has a stamp/,
  },
  'absurd-stamp.pcapng': {
    content: Buffer.concat([
      ng.section(),
      ng.interface(),
      ng.enhanced({ stamp: 2n ** 63n, data: Buffer.alloc(60) }),
    ]),
    status: 'empty',
    detail: 1,
    said: /outside of the years 0 to 9999/,
  },
  'damaged.pcapng': {
    content: ng.block(0x0a0d0d0a, Buffer.alloc(16)),
    status: 'failed',
    detail: 'capture-damaged',
    said: /is damaged at its begin: a section has the byte-order magic/,
  },
  'packets.pcapng.zst': {
    content: zstdFrame(Buffer.concat([ng.section(), ng.interface(), ngPacket(1n), ngPacket(2n)])),
    status: 'ok',
    detail: 2,
    said: null,
  },
  'packets.pcap.lz4': { content: lz4Frame(sound), status: 'ok', detail: 3, said: null },
  'old.snoop': {
    content: Buffer.concat([Buffer.from('snoop'), Buffer.alloc(40)]),
    status: 'failed',
    detail: 'capture-unsupported',
    said: /is a snoop capture, which Capfleet does not read.*editcap -F pcap/,
  },
  'cut-record.pcap': {
    content: cutAt(sound, sound.length - 7),
    status: 'partial',
    detail: 2,
    said: /the last record has 69 of 76 bytes/,
  },
  'cut-gzip.pcap.gz': {
    // Stored blocks, so that the cut is known to lie behind two packets.
    content: cutAt(gzipSync(sound, { level: 0 }), 10 + 5 + 24 + 2 * 76 + 20),
    status: 'partial',
    detail: 2,
    said: /ends in the middle of it/,
  },
  'endless-record.pcap': {
    content: withCapturedLength(sound, 1),
    status: 'partial',
    detail: 1,
    said: /claims 4294967295 bytes/,
  },
  'one-packet.pcap': { content: pcapFile({}, [packet(0)]), status: 'ok', detail: 1, said: null },
  'one-instant.pcap': {
    content: pcapFile({}, [packet(1), packet(1), packet(1)]),
    status: 'ok',
    detail: 3,
    said: null,
  },
  'header-only.pcap': { content: pcapHeader(plainPcap), status: 'empty', detail: 0, said: /holds no packet/ },
};

describe('capfleet map', { concurrency: 2 }, () => {
  test('maps what is sound, and names every file that is not, with the reason', async (t) => {
    const contents = Object.entries(oddities).map(([name, { content }]) => [name, content] as const);
    const place = await makeMapPlace(t, {}, Object.fromEntries(contents));
    const { code, stdout, stderr } = await runMap(place, ALL);
    assert.equal(code, 3, stderr);
    assert.equal(stderr, '');
    const text = await readFile(place.dump, 'utf8');
    const { files, capfleet } = JSON.parse(text) as Awaited<ReturnType<typeof readDumpFile>>;
    const found = new Map<string, [status: string, detail: number | string | undefined]>();
    for (const { capfleet: file } of files) found.set(file.name, [file.status, file.packets]);
    for (const file of capfleet.empty) found.set(file.name, ['empty', file.packets]);
    for (const file of capfleet.failed) found.set(file.name, ['failed', file.error.code]);
    const lines = stdout.split('\n');
    for (const [name, { status, detail, said }] of Object.entries(oddities)) {
      assert.deepEqual(found.get(name), [status, detail], name);
      const at = lines.findIndex((each) => each.startsWith(`  ${status} `) && each.includes(name));
      const line = at === -1 ? undefined : lines.slice(at, at + 2).join('\n');
      if (said === null) assert.equal(line, undefined, name);
      else assert.match(line ?? '', said, name);
    }
    assert.equal(found.size, Object.keys(oddities).length);
    // GopherCap takes no time before the epoch's and no number that JSON has not.
    assert.doesNotMatch(text, /0001-01-01|null,\n\s+"duration|NaN|Infinity/);
  });

  test('writes nothing where no file could be mapped, and leaves an old dump alone', async (t) => {
    const place = await makeMapPlace(t, {}, { 'a.pcap.gz': 'text', 'b.pcap.gz': '' });
    await writeFile(place.dump, OLD_DUMP);
    const { code, stdout, stderr } = await runMap(place);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /failed +a\.pcap\.gz\n {11}\S+ is not a capture/);
    assert.match(stderr, /failed +b\.pcap\.gz\n {11}\S+ is empty/);
    assert.match(stderr, /capfleet: none of the 2 files could be mapped/);
    assert.equal(await readFile(place.dump, 'utf8'), OLD_DUMP);
  });

  test('writes a dump without times for captures that hold no packet', async (t) => {
    const place = await makeMapPlace(t, {}, { 'a.pcap.gz': pcapHeader(plainPcap) });
    const { code, stdout } = await runMap(place);
    assert.equal(code, 0);
    assert.match(stdout, /empty +a\.pcap\.gz/);
    const dump = await readDumpFile(place.dump);
    assert.deepEqual([dump.beginning, dump.files, dump.capfleet.empty.length], [undefined, [], 1]);
  });

  test('knows captures by their content, whatever they are called', async (t) => {
    const place = await makeMapPlace(
      t,
      {},
      {
        'plain.pcap.gz': sound,
        'packed.txt': gzipSync(sound),
        'big-endian.bin': pcapFile({ byteOrder: 'be', magic: 'ns' }, [packet(0), packet(1)]),
      },
    );
    assert.equal((await runMap(place, ALL)).code, 0);
    const { files } = await readDumpFile(place.dump);
    assert.deepEqual(files.map(({ capfleet }) => [capfleet.name, capfleet.packets]).sort(), [
      ['big-endian.bin', 2],
      ['packed.txt', 3],
      ['plain.pcap.gz', 3],
    ]);
  });

  test('does not take its own unfinished dump for a capture', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap': [0] });
    const inside = join(place.captures, 'map.json');
    const { code, stdout } = await runMap(place, [...ALL, '--dump-json', inside]);
    assert.equal(code, 0, stdout);
    assert.equal((await readDumpFile(inside)).capfleet.failed.length, 0);
  });

  test('follows links to files, and passes over what is neither file nor folder', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await writeFile(join(place.dir, 'elsewhere.pcap.gz'), sound);
    await symlink(join(place.captures, 'a.pcap.gz'), join(place.captures, 'inside.pcap.gz'));
    await symlink(join(place.dir, 'elsewhere.pcap.gz'), join(place.captures, 'outside.pcap.gz'));
    await symlink('/nowhere', join(place.captures, 'dangling.pcap.gz'));
    await symlink('.', join(place.captures, 'circle'));
    await symlink('/dev/null', join(place.captures, 'device.pcap.gz'));
    const { code, stdout } = await runMap(place);
    assert.equal(code, 0, stdout);
    const { files } = await readDumpFile(place.dump);
    assert.deepEqual(files.map(({ capfleet }) => capfleet.name).sort(), [
      'a.pcap.gz',
      'inside.pcap.gz',
      'outside.pcap.gz',
    ]);
  });

  test('takes names with spaces, quotes and line breaks, and prints nothing that a terminal would obey', async (t) => {
    const names = [
      'with space.pcap.gz',
      `quotes"'.pcap.gz`,
      'line\nbreak.pcap.gz',
      'red\u001b[31m.pcap.gz',
      '-x.pcap.gz',
    ];
    const place = await makeMapPlace(t, Object.fromEntries(names.map((name, number) => [name, [number]])));
    const { code, stdout } = await runMap(place);
    assert.equal(code, 0);
    const { files } = await readDumpFile(place.dump);
    assert.deepEqual(
      files.map(({ path }) => path),
      names.map((name) => join(place.captures, name)),
    );
    assert.ok(!stdout.includes('\u001b'), 'no escape sequence out of a file name');
    assert.ok(!stdout.includes('line\nbreak'), 'no line break out of a file name');
  });

  test('goes on where a name is no UTF-8', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0], 'b.pcap.gz': [1] });
    const odd = Buffer.concat([
      Buffer.from(`${place.captures}/b`),
      Buffer.from([0xff]),
      Buffer.from('.pcap.gz'),
    ]);
    await rename(join(place.captures, 'b.pcap.gz'), odd);
    const { code, stdout, stderr } = await runMap(place);
    assert.ok(code === 0 || code === 3, stderr);
    const { files, capfleet } = await readDumpFile(place.dump);
    assert.ok(files.some(({ capfleet: file }) => file.name === 'a.pcap.gz'));
    assert.equal(files.length + capfleet.failed.length, 2, 'the other file is not left out');
    if (code === 3) assert.match(stdout, /failed +b/);
  });
});

describe('capfleet map as a user without rights', { concurrency: 2 }, () => {
  test('names a file that it may not read, and maps the others', async (t) => {
    const as = await nobody();
    if ('reason' in as) {
      t.skip(as.reason);
      return;
    }
    const place = await makeMapPlace(t, { 'a.pcap.gz': stamps(0, 2, 10), 'b.pcap.gz': [1] });
    await chmod(join(place.captures, 'b.pcap.gz'), 0o000);
    await chmod(place.dir, 0o777);
    const { code, stdout } = await runMap(place, [], as);
    assert.equal(code, 3);
    assert.match(stdout, /failed +b\.pcap\.gz\n {11}not allowed to read \S+b\.pcap\.gz; give the user/);
    assert.equal((await readDumpFile(place.dump)).files.length, 1);
  });

  test('names a folder that it may not read, and maps what lies in the others', async (t) => {
    const as = await nobody();
    if ('reason' in as) {
      t.skip(as.reason);
      return;
    }
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    const closed = join(place.captures, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o000);
    await chmod(place.dir, 0o777);
    const { code, stdout } = await runMap(place, [], as);
    assert.equal(code, 3);
    assert.match(stdout, /failed +closed\n {11}not allowed to read \S+\/closed; give the user/);
    const { files, capfleet } = await readDumpFile(place.dump);
    assert.deepEqual([files.length, capfleet.failed.map(({ path }) => path)], [1, [closed]]);
  });

  test('ends with the name of the folder when it may not read that one, and writes nothing', async (t) => {
    const as = await nobody();
    if ('reason' in as) {
      t.skip(as.reason);
      return;
    }
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await chmod(place.captures, 0o000);
    await chmod(place.dir, 0o777);
    const { code, stdout, stderr } = await runMap(place, [], as);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`not allowed to read ${place.captures}\\b`));
    assert.match(stderr, /give the user that runs Capfleet read access to it\n$/);
    await assert.rejects(readFile(place.dump), { code: 'ENOENT' });
  });
});
