import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { setImmediate } from 'node:timers/promises';
import { tarMembers } from '@capfleet/shared/archive/tar-members';
import { readFully, type ByteReader } from '@capfleet/shared/capture/byte-reader';
import { disk } from '@capfleet/shared/source/disk';
import type { Source } from '@capfleet/shared/source/source';
import { memorySource } from '../../../support/memory-source.ts';
import { patterned } from '../../../support/patterned.ts';
import { readMembers } from '../../../support/read-members.ts';
import {
  paxRecords,
  tarDialects,
  tarEnd,
  tarExtension,
  tarFile,
  tarHeaders,
  tarMember,
  TAR_BLOCK,
  withChecksum,
  type TarEntry,
} from '../../../support/tar-writer.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const GIB = 1024 ** 3;
const SECOND = 1_000_000_000n;
const SIZES = [0, 1, 511, 512, 513, 100_000];
const CHUNKS = [7, [511, 1, 513], 100_000, Infinity];
const entries: TarEntry[] = SIZES.map((size) => ({ name: `sub/${size}.pcap`, data: patterned(size, size) }));
const LONG_NAME = `${'folder-of-some-length/'.repeat(7)}${'x'.repeat(80)}.pcap`;

describe('the members of an archive', () => {
  for (const dialect of tarDialects) {
    test(`of ${dialect} are given in order, with name, size, time and data, in any chunks`, async () => {
      const archive = tarFile(entries, dialect);
      for (const chunk of CHUNKS) {
        const { members, failure, open } = await readMembers(archive, { chunk });
        assert.deepEqual([failure, open], [null, 0]);
        assert.deepEqual(
          members.map(({ name, type, size, mtime }) => ({ name, type, size, mtime })),
          SIZES.map((size) => ({
            name: `sub/${size}.pcap`,
            type: 'file',
            size,
            mtime: 1_600_000_000n * SECOND,
          })),
        );
        members.forEach(({ data, missing }, index) => {
          assert.ok(data.equals(entries[index]!.data!), `member ${index}`);
          assert.equal(missing, 0);
        });
      }
    });

    if (dialect !== 'v7') {
      test(`of ${dialect} may have long names, and their place is exact`, async () => {
        const long = { name: LONG_NAME, data: patterned(3000, 3) };
        const archive = tarFile([...entries, long, ...entries], dialect);
        const { members, failure } = await readMembers(archive);
        assert.equal(failure, null);
        assert.equal(members[SIZES.length]?.name, LONG_NAME);
        assert.equal(members.length, 2 * SIZES.length + 1);
        for (const { offset, size, data } of members) {
          assert.ok(archive.subarray(offset!, offset! + size).equals(data));
        }
      });
    }
  }

  test('of a compressed archive have no place in the file', async () => {
    const { members, failure } = await readMembers(gzipSync(tarFile(entries)));
    assert.equal(failure, null);
    assert.deepEqual(
      members.map(({ offset, data }) => [offset, data.length]),
      SIZES.map((size) => [null, size]),
    );
  });

  test('may be left unread, or read in part, without a change for those that follow', async () => {
    const large = { name: 'large', data: patterned(3 * 1024 * 1024, 1) };
    const archive = tarFile([...entries, large, ...entries]);
    for (const bytes of [archive, gzipSync(archive)]) {
      const source = memorySource();
      source.put('/a', bytes);
      const names: string[] = [];
      for await (const member of tarMembers(source, await source.stat('/a'))) {
        names.push(member.name);
        if (names.length % 2 === 0) await member.bytes.read(Buffer.alloc(100), 0, 100);
      }
      assert.equal(names.length, 2 * SIZES.length + 1);
      assert.equal(source.openReaders, 0);
    }
  });

  test('give nothing more once the walk has gone on', async () => {
    const source = memorySource();
    source.put('/a', tarFile(entries));
    let before: ByteReader | null = null;
    for await (const { bytes } of tarMembers(source, await source.stat('/a'))) {
      if (before) assert.equal(await before.read(Buffer.alloc(10), 0, 10), 0);
      before = bytes;
    }
  });

  test('tell the time to the nanosecond where pax does', async () => {
    const archive = tarFile([{ name: 'a', mtime: '1600000000.123456789' }], 'pax');
    assert.equal((await readMembers(archive)).members[0]?.mtime, 1_600_000_000_123_456_789n);
  });

  test('have no time where it is none', async () => {
    for (const mtime of ['999999999999', '-5', 'yesterday']) {
      const block = tarMember({ name: 'a', mtime: 0 }, 'ustar');
      block.fill(0, 136, 148);
      block[136] = 0xff;
      const archive = Buffer.concat([
        tarExtension('x', paxRecords({ mtime })),
        withChecksum(block),
        tarEnd(),
      ]);
      assert.equal((await readMembers(archive)).members[0]?.mtime, null, mtime);
    }
  });

  test('say what else than files they are, and hide none that follows', async () => {
    const kinds = {
      '1': 'hard link',
      '2': 'symbolic link',
      '3': 'device',
      '4': 'device',
      '5': 'folder',
      '6': 'fifo',
      '7': 'file',
      V: 'special entry',
      Z: 'special entry',
    };
    const archive = tarFile([
      ...Object.keys(kinds).map((type) => ({ name: `kind ${type}`, type, linkName: 'a', size: 0 })),
      { name: 'last', data: Buffer.from('end') },
    ]);
    const { members, failure } = await readMembers(archive);
    assert.equal(failure, null);
    assert.deepEqual(
      members.map(({ type }) => type),
      [...Object.values(kinds), 'file'],
    );
  });

  test('that have no data whatever size they claim hide none that follows', async () => {
    const claims = ['1', '2', '3', '4', '5', '6'].map((type) => ({ name: type, type, size: 5000 }));
    const { members, failure } = await readMembers(
      tarFile([...claims, { name: 'last', data: Buffer.from('end') }]),
    );
    assert.equal(failure, null);
    assert.equal(members.at(-1)?.data.toString(), 'end');
  });

  test('that are sparse are told as such, in all the ways in which GNU writes them', async () => {
    const oldHeader = tarHeaders({ name: 'old', type: 'S', size: 700 }, 'gnu');
    oldHeader[482] = 1;
    const map = Buffer.alloc(TAR_BLOCK, '7');
    const lastMap = Buffer.alloc(TAR_BLOCK);
    lastMap[0] = 0x37;
    const pax = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'new' };
    const archive = Buffer.concat([
      withChecksum(oldHeader),
      map,
      lastMap,
      Buffer.alloc(1024, 1),
      tarMember({ name: 'GNUSparseFile.1/new', data: Buffer.alloc(600), pax }, 'pax'),
      tarMember({ name: 'last', data: Buffer.from('end') }, 'pax'),
      tarEnd(),
    ]);
    const { members, failure } = await readMembers(archive);
    assert.equal(failure, null);
    assert.deepEqual(
      members.map(({ name, type }) => [name, type]),
      [
        ['old', 'sparse file'],
        ['new', 'sparse file'],
        ['last', 'file'],
      ],
    );
  });

  test('are given behind a global header, a single zero block and the end mark of a first archive', async () => {
    const archive = Buffer.concat([
      tarExtension('g', paxRecords({ comment: 'x'.repeat(600) })),
      tarMember({ name: 'a' }, 'ustar'),
      Buffer.alloc(TAR_BLOCK),
      tarMember({ name: 'b' }, 'ustar'),
      tarEnd(),
      tarFile([{ name: 'c' }]),
    ]);
    const { members, failure } = await readMembers(archive);
    assert.deepEqual([members.map(({ name }) => name), failure], [['a', 'b', 'c'], null]);
  });

  for (const dialect of ['gnu', 'pax'] as const) {
    test(`of ${dialect} may be larger than 8 GiB and lie behind 4 GiB`, async (t) => {
      const path = join(await tempDir(t), 'large.tar');
      const size = 20 * GIB + 1;
      const head = tarHeaders({ name: 'large', size }, dialect);
      const rest = tarFile([{ name: 'small', data: Buffer.from('end') }]);
      await writeFile(path, head);
      const at = head.length + 20 * GIB + TAR_BLOCK;
      await truncate(path, at);
      await writeFile(path, rest, { flag: 'a' });
      const found: unknown[] = [];
      for await (const { name, size: told, offset } of tarMembers(disk, await disk.stat(path))) {
        found.push([name, told, offset]);
      }
      assert.deepEqual(found, [
        ['large', size, head.length],
        ['small', 3, at + TAR_BLOCK],
      ]);
    });
  }

  test('of an archive by the tar of this system are what it put in', async (t) => {
    const dir = await tempDir(t);
    await mkdir(join(dir, 'in', 'sub'), { recursive: true });
    const long = `${'n'.repeat(150)}.pcap`;
    const files = {
      'a.pcap': patterned(70_000, 1),
      'sub/b ü.pcap': patterned(513, 2),
      [long]: patterned(1, 3),
    };
    for (const [name, data] of Object.entries(files)) await writeFile(join(dir, 'in', name), data);
    for (const format of ['gnu', 'pax', 'posix', 'oldgnu', 'v7', 'ustar']) {
      const names = Object.keys(files).filter((name) => name !== long || !/v7|ustar/.test(format));
      const made = spawnSync('tar', ['--format', format, '-cf', '../out.tar', ...names], {
        cwd: join(dir, 'in'),
      });
      if (made.error || made.status !== 0) {
        t.skip(`no GNU tar here: ${String(made.error ?? made.stderr)}`);
        return;
      }
      const { members, failure } = await readMembers(await readFile(join(dir, 'out.tar')));
      assert.equal(failure, null, format);
      assert.deepEqual(
        members.map(({ name }) => name),
        names,
        format,
      );
      for (const { name, data } of members) assert.ok(data.equals(files[name]!), `${format}: ${name}`);
    }
  });
});

describe('an archive that is', () => {
  const whole = tarFile(entries);

  test('empty has no member and no fault', async () => {
    assert.deepEqual(await readMembers(tarEnd()), { members: [], failure: null, open: 0 });
  });

  for (const [what, bytes, reason] of [
    ['a file without a byte', Buffer.alloc(0), /it is empty/],
    ['too short for a header', Buffer.from('ustar'), /in the middle of a header/],
    ['no archive', patterned(5000, 5), /no.*header|header.*none/],
    ['only extension records', tarExtension('x', paxRecords({ path: 'a' })), /in the middle of a header/],
    ['records before the end mark', tarFile([{ name: 'x', type: 'x' }]), /does not follow/],
  ] as const) {
    test(`${what} is refused as none, and nothing stays open`, async () => {
      const { members, failure, open } = await readMembers(bytes);
      assert.deepEqual([members, failure?.code, open], [[], 'tarball-invalid', 0]);
      assert.match(failure!.message, reason);
    });
  }

  for (const type of ['x', 'g', 'L', 'K']) {
    test(`announcing records of 2 GiB (${type}) is refused without reading them`, async () => {
      const bomb = tarExtension(type, Buffer.alloc(0), 2 * GIB);
      const { members, failure } = await readMembers(Buffer.concat([tarMember({ name: 'a' }, 'gnu'), bomb]));
      assert.deepEqual([members.length, failure?.code], [1, 'tarball-damaged']);
      assert.match(failure!.message, /byte 512 .*larger than/);
    });
  }

  test('telling many records one after another for one member is refused', async () => {
    const record = tarExtension('x', paxRecords({ comment: 'x'.repeat(200_000) }));
    const { failure } = await readMembers(Buffer.concat(Array.from({ length: 6 }, () => record)));
    assert.match(failure!.message, /larger than/);
  });

  test('damaged in a header gives what came before, and tells where', async () => {
    const broken = Buffer.from(whole);
    // The header of the third member.
    const at = 512 + 2 * 512 + 512 - 512;
    broken[at + 5]! ^= 1;
    const { members, failure, open } = await readMembers(broken);
    assert.deepEqual(
      [members.length, failure?.code, failure?.fields['offset'], open],
      [2, 'tarball-damaged', at, 0],
    );
  });

  test('cut off anywhere gives what came before, says so, and how much of the last member is missing', async () => {
    const cuts = [
      1,
      511,
      512,
      513,
      1024,
      1025,
      1535,
      1536,
      2000,
      50_000,
      whole.length - 1025,
      whole.length - 1024,
    ];
    for (const cut of cuts) {
      const { members, failure, open } = await readMembers(whole.subarray(0, cut));
      assert.equal(failure?.code, cut < 512 ? 'tarball-invalid' : 'tarball-damaged', `cut at ${cut}`);
      assert.equal(open, 0);
      let given = 0;
      for (const [index, { data, size, missing }] of members.entries()) {
        given += data.length;
        assert.equal(data.length + missing, size);
        assert.ok(data.equals(entries[index]!.data!.subarray(0, data.length)));
        assert.ok(missing === 0 || index === members.length - 1);
      }
      if (cut === 50_000) assert.equal(given, 1 + 511 + 512 + 513 + (50_000 - 6 * 512 - 5 * 512));
    }
  });

  test('cut off behind a member that was stepped over says so', async () => {
    const source = memorySource();
    const large = tarFile([{ name: 'large', data: Buffer.alloc(3_000_000) }]);
    source.put('/a', large.subarray(0, 2_000_000));
    const walk = async (): Promise<void> => {
      for await (const member of tarMembers(source, await source.stat('/a')))
        assert.equal(member.size, 3_000_000);
    };
    await assert.rejects(walk, { code: 'tarball-damaged' });
    assert.equal(source.openReaders, 0);
  });

  test('cut off in its compression gives what came before, and the compression is at fault', async () => {
    const zipped = gzipSync(whole, { level: 0 });
    const { members, failure, open } = await readMembers(zipped.subarray(0, 50_000));
    assert.deepEqual([failure?.code, failure?.fields['kind'], open], ['compression-damaged', 'cut', 0]);
    const last = members.at(-1)!;
    assert.ok(last.missing > 0 && last.data.length + last.missing === last.size);
    assert.ok(last.data.equals(entries.at(-1)!.data!.subarray(0, last.data.length)));
  });

  test('followed by anything behind its end mark is whole', async () => {
    for (const tail of [Buffer.alloc(10_240), patterned(3000, 1), Buffer.from('x')]) {
      const { members, failure } = await readMembers(Buffer.concat([whole, tail]));
      assert.deepEqual([members.length, failure], [SIZES.length, null]);
    }
  });

  test('padded with zeros without end is not read without end', async () => {
    const source = memorySource();
    let read = 0;
    const start = tarFile(entries);
    source.putReader('/a', Number.MAX_SAFE_INTEGER, () => ({
      read(target, offset, length) {
        target.fill(0, offset, offset + length);
        const count = read < start.length ? start.copy(target, offset, read, read + length) : length;
        read += count;
        return Promise.resolve(count);
      },
      get consumed() {
        return read;
      },
      close: () => Promise.resolve(),
    }));
    let members = 0;
    for await (const { size } of tarMembers(source, await source.stat('/a')))
      members += size < Infinity ? 1 : 0;
    assert.equal(members, SIZES.length);
    assert.ok(read < 3_000_000, `${read} bytes read`);
  });

  test('not to be read to its end is closed when the walk is left', async () => {
    const source = memorySource();
    source.put('/a', whole);
    for await (const member of tarMembers(source, await source.stat('/a'))) if (member.size > 0) break;
    assert.equal(source.openReaders, 0);
  });

  test('walked when the signal is given ends with its reason', async () => {
    const source = memorySource();
    source.put('/a', whole);
    const stopping = new AbortController();
    const walk = async (): Promise<void> => {
      for await (const member of tarMembers(source, await source.stat('/a'), stopping.signal)) {
        stopping.abort(new Error(`stopped at ${member.name}`));
      }
    };
    await assert.rejects(walk, /stopped at sub\/0.pcap/);
    assert.equal(source.openReaders, 0);
  });
});

for (const size of [100_000, 3_000_000]) {
  test(`a member of ${size} bytes that is left in the middle of a read does not move those behind it`, async () => {
    const source = memorySource();
    const archive = tarFile([
      { name: 'left', data: patterned(size, 1) },
      { name: 'next', data: patterned(700, 2) },
    ]);
    source.put('/set.tar', archive, { chunk: 10_000 });
    // Reads that take their time, as those from disk and from S3 do.
    const slow: Source = {
      ...source,
      async open(file, options) {
        const bytes = await source.open(file, options);
        return {
          async read(target, offset, length) {
            await setImmediate();
            return bytes.read(target, offset, length);
          },
          get consumed() {
            return bytes.consumed;
          },
          close: () => bytes.close(),
        };
      },
    };
    const names: string[] = [];
    for await (const { name, bytes } of tarMembers(slow, await source.stat('/set.tar'))) {
      names.push(name);
      const target = Buffer.alloc(5000);
      if (name === 'left') void bytes.read(target, 0, target.length);
      else assert.ok(target.subarray(0, await readFully(bytes, target)).equals(patterned(700, 2)));
    }
    assert.deepEqual(names, ['left', 'next']);
  });
}
