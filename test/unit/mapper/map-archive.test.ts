import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fileMapSchema, type FileMap, type MappedFile } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import { mapArchive, type ArchiveCounts } from '@capfleet/mapper/map-archive';
import { mapFile } from '@capfleet/mapper/map-file';
import { mapTarball } from '../../support/map-tarball.ts';
import { memorySource, type MemorySource } from '../../support/memory-source.ts';
import { captureOf } from '../../support/read-capture.ts';
import { tarEnd, tarFile, tarHeaders, tarMember, type TarEntry } from '../../support/tar-writer.ts';

const PATH = '/data/set.tar';
const captures: TarEntry[] = [
  { name: './monday/a.pcap', data: captureOf([60, 1514, 60]) },
  { name: 'monday', type: '5' },
  { name: 'monday/b.pcap.gz', data: gzipSync(captureOf([100])) },
  { name: 'notes.txt', data: Buffer.from('these are notes, no packets') },
];
const all = { suffix: '', pattern: null };

function sourceWith(archive: Buffer): MemorySource {
  const source = memorySource();
  source.put(PATH, archive);
  return source;
}

async function mapped(
  archive: Buffer,
  filter: Parameters<typeof mapTarball>[2] = all,
): Promise<{ maps: FileMap[]; counts: ArchiveCounts; source: MemorySource }> {
  const source = sourceWith(archive);
  const result = await mapTarball(source, PATH, filter);
  assert.equal(source.openReaders, 0, 'the tarball is left open');
  for (const map of result.maps) assert.deepEqual(fileMapSchema.parse(JSON.parse(JSON.stringify(map))), map);
  return { ...result, source };
}

const failures = (maps: readonly FileMap[]): string[] =>
  maps.flatMap((map) => (map.status === 'failed' ? [`${map.path}: ${map.error.code}`] : []));

describe('mapping a tarball', () => {
  test('gives each member the map that it has as a file, under a path of its own, with its place', async () => {
    const archive = tarFile(captures);
    const { maps, counts, source } = await mapped(archive);
    const { version } = await source.stat(PATH);
    assert.deepEqual(counts, { members: 3, matched: 3, sound: true });
    assert.deepEqual(
      maps.map(({ path, name, status }) => [path, name, status]),
      [
        [`${PATH}!/monday/a.pcap`, 'monday/a.pcap', 'ok'],
        [`${PATH}!/monday/b.pcap.gz`, 'monday/b.pcap.gz', 'ok'],
        [`${PATH}!/notes.txt`, 'notes.txt', 'failed'],
      ],
    );
    for (const [map, { data }] of [
      [maps[0]!, captures[0]!],
      [maps[1]!, captures[2]!],
    ] as const) {
      const alone = memorySource();
      alone.put('/x', data!);
      const { path, name, within, ...facts } = map;
      const expected = await mapFile(alone, await alone.stat('/x'));
      assert.deepEqual({ ...facts, path: '/x', name: 'x' }, { ...expected, version });
      assert.deepEqual([within?.path, path.endsWith(name)], [PATH, true]);
      assert.ok(archive.subarray(within!.offset, within!.offset + map.fileSize).equals(data!));
    }
  });

  test('compressed gives the same maps, without a place', async () => {
    const plain = await mapped(tarFile(captures));
    const packed = await mapped(gzipSync(tarFile(captures)));
    const placeless = ({ maps }: { maps: FileMap[] }): object[] =>
      maps.map((map) => ({ ...map, within: undefined, version: undefined }));
    assert.deepEqual(placeless(packed), placeless(plain));
    assert.ok(packed.maps.every(({ within }) => within === undefined));
  });

  test('takes only the members whose path has the suffix and fits the pattern', async () => {
    const byName = async (suffix: string, pattern: RegExp | null): Promise<string[]> =>
      (await mapped(tarFile(captures), { suffix, pattern })).maps.map(({ name }) => name);
    assert.deepEqual(await byName('.pcap', null), ['monday/a.pcap']);
    assert.deepEqual(await byName('', /set\.tar!\/monday\//), ['monday/a.pcap', 'monday/b.pcap.gz']);
    assert.deepEqual(await byName('.none', null), []);
  });

  test('tells members of one name apart by their paths', async () => {
    const names = ['d.d/a.x.pcap', 'd.d/a.x.pcap', './d.d/a.x.pcap', 'd.d/a#2.x.pcap', '.x', '.x'];
    const { maps } = await mapped(tarFile(names.map((name) => ({ name, data: captureOf([60]) }))));
    assert.deepEqual(
      maps.map(({ path }) => path.slice(PATH.length + 2)),
      ['d.d/a.x.pcap', 'd.d/a#2.x.pcap', 'd.d/a#3.x.pcap', 'd.d/a#2#2.x.pcap', '.x', '.x#2'],
    );
    assert.equal(maps[1]?.name, 'd.d/a.x.pcap');
  });

  test('names every member that is none to read', async () => {
    const { maps, counts } = await mapped(
      tarFile([
        { name: 'link.pcap', type: '2', linkName: 'a.pcap' },
        { name: '../../up.pcap', data: captureOf([60]) },
        { name: '/abs.pcap', data: captureOf([60]) },
        { name: 'bell\x07.pcap', data: captureOf([60]) },
        { name: 'inner.tar', data: tarFile(captures) },
        { name: 'empty.pcap' },
        { name: 'good.pcap', data: captureOf([60]) },
      ]),
    );
    assert.deepEqual(failures(maps), [
      `${PATH}!/link.pcap: member-refused`,
      `${PATH}!/../../up.pcap: member-refused`,
      `${PATH}!//abs.pcap: member-refused`,
      `${PATH}!/bell\x07.pcap: member-refused`,
      `${PATH}!/inner.tar: capture-tarball`,
      `${PATH}!/empty.pcap: capture-empty`,
    ]);
    assert.deepEqual([maps.at(-1)?.status, counts.matched, counts.sound], ['ok', 7, true]);
  });

  test('passes over what a broken capture leaves unread', async () => {
    const broken = Buffer.concat([captureOf([60, 60]), Buffer.alloc(2_000_000, 0xff)]);
    const { maps } = await mapped(
      tarFile([
        { name: 'broken', data: broken },
        { name: 'next', data: captureOf([60]) },
      ]),
    );
    assert.deepEqual(
      maps.map((map) => [map.status, (map as MappedFile).packets]),
      [
        ['partial', 2],
        ['ok', 1],
      ],
    );
  });
});

describe('a tarball that is', () => {
  test('cut off keeps the members before, what there is of the last, and fails under its own name', async () => {
    const archive = tarFile([captures[0]!, { name: 'last.pcap', data: captureOf([60, 60, 60]) }]);
    // Behind the second packet of the last member, which then looks whole.
    const cut = archive.length - tarEnd().length - 512 + 24 + 2 * 76;
    for (const bytes of [archive.subarray(0, cut), archive.subarray(0, cut - 10)]) {
      const { maps, counts } = await mapped(bytes);
      assert.deepEqual(
        maps.map(({ path, status }) => [path, status]),
        [
          [`${PATH}!/monday/a.pcap`, 'ok'],
          [`${PATH}!/last.pcap`, 'partial'],
          [PATH, 'failed'],
        ],
      );
      assert.deepEqual([failures(maps), counts.sound], [[`${PATH}: tarball-damaged`], false]);
    }
    const { maps } = await mapped(archive.subarray(0, cut));
    const { packets, warnings } = maps[1] as MappedFile;
    assert.deepEqual(
      [packets, warnings.map(({ kind, offset }) => [kind, offset])],
      [2, [['cut-off-record', 24 + 2 * 76]]],
    );
  });

  test('cut off in its compression keeps what there is and fails under its own name', async () => {
    const archive = gzipSync(tarFile([captures[0]!, { name: 'last.pcap', data: captureOf([60, 900, 60]) }]), {
      level: 0,
    });
    const { maps } = await mapped(archive.subarray(0, archive.length - 8 - 1024 - 444 - 30));
    assert.deepEqual(
      maps.map(({ status }) => status),
      ['ok', 'partial', 'failed'],
    );
    assert.deepEqual(failures(maps), [`${PATH}: compression-damaged`]);
  });

  test('none, or empty, is said to be', async () => {
    assert.deepEqual(failures((await mapped(captureOf([60, 600]))).maps), [`${PATH}: tarball-invalid`]);
    assert.deepEqual(await mapped(tarEnd()).then(({ maps }) => maps), []);
  });

  test('written while it is read fails under its own name', async () => {
    const source = sourceWith(tarFile(captures));
    const maps: FileMap[] = [];
    const counts = await mapArchive(source, await source.stat(PATH), all, async (map) => {
      maps.push(map);
      if (maps.length === 3) source.put(PATH, tarFile(captures));
    });
    assert.deepEqual([failures(maps).at(-1), counts.sound], [`${PATH}: file-changed`, false]);
  });

  test('not readable for a reason that may pass is thrown, so that the queue tries again', async () => {
    const source = memorySource();
    const error = new Failure('read-failed', { path: PATH, reason: 'EIO' });
    const archive = tarFile(captures);
    for (const at of [0, 100, 600, archive.length - 100]) {
      source.put(PATH, archive, { failure: { at, error } });
      await assert.rejects(mapTarball(source, PATH), error);
      assert.equal(source.openReaders, 0);
    }
  });

  test('larger than memory is mapped while it is read, with its progress', async () => {
    const source = memorySource();
    const data = captureOf(Array.from({ length: 100 }, () => 1400));
    const member = tarMember({ name: 'a.pcap', data }, 'ustar');
    const rounds = 2000;
    source.putReader(PATH, rounds * member.length + 1024, () => {
      let position = 0;
      return {
        read(target, offset, length) {
          const from = position % member.length;
          const whole = position >= rounds * member.length;
          const count = whole
            ? Math.min(length, rounds * member.length + 1024 - position)
            : Math.min(length, member.length - from);
          if (whole) target.fill(0, offset, offset + count);
          else member.copy(target, offset, from, from + count);
          position += count;
          return Promise.resolve(count);
        },
        get consumed() {
          return position;
        },
        close: () => Promise.resolve(),
      };
    });
    let [last, packets] = [0, 0];
    await mapArchive(
      source,
      await source.stat(PATH),
      all,
      async (map) => {
        packets += (map as MappedFile).packets;
      },
      {
        onProgress(consumed) {
          assert.ok(consumed >= last);
          last = consumed;
        },
      },
    );
    assert.equal(packets, rounds * 100);
    assert.ok(last > (rounds - 1) * member.length);
  });

  test('mapped when the mapper is told to end stops with the reason', async () => {
    const source = sourceWith(tarFile(captures));
    const stopping = new AbortController();
    const emit = async (): Promise<void> => stopping.abort(new Error('shutting down'));
    const { signal } = stopping;
    await assert.rejects(mapArchive(source, await source.stat(PATH), all, emit, { signal }), /shutting down/);
    assert.equal(source.openReaders, 0);
  });

  test('is mapped up to a member whose header is damaged', async () => {
    const bad = tarHeaders({ name: 'bad' }, 'ustar');
    bad[0] = 0;
    const { maps } = await mapped(Buffer.concat([tarMember(captures[0]!, 'ustar'), bad, tarFile(captures)]));
    assert.deepEqual([maps.length, failures(maps)], [2, [`${PATH}: tarball-damaged`]]);
  });
});
