import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Catalogue } from '@capfleet/coordinator/usecases/catalogue';
import type { Place } from '@capfleet/coordinator/ports/map-journal';
import { buildDataSet } from '@capfleet/shared/dataset/dataset';
import { failedWith, type FileMap } from '@capfleet/shared/dataset/file-map';
import { Failure } from '@capfleet/shared/errors/failure';
import type { SourceFile } from '@capfleet/shared/source/source';
import { failedMap, mappedFile } from '../../../support/file-maps.ts';
import { mappedSetOf } from '../../../support/mapped-set.ts';

const place: Place = { offset: 0, length: 1 };
const listed = ({ path, name, fileSize, version }: FileMap): SourceFile => ({
  path,
  name,
  size: fileSize,
  version: version ?? '',
});
const a = mappedFile('a', [1, 2]);
const WHOLE = { estimate: false, filter: 'f' };
const ESTIMATE = { estimate: true, filter: 'f' };

function knowing(...maps: FileMap[]): Catalogue {
  const catalogue = new Catalogue();
  for (const map of maps) catalogue.remember(map, place);
  return catalogue;
}

async function timedIn(catalogue: Catalogue): Promise<number> {
  return (await catalogue.arrange(async () => '')).timed.length;
}

describe('a file that was mapped before', () => {
  test('belongs to the mapping once it is asked for, and counts once', async () => {
    const catalogue = knowing(a, mappedFile('b', [3, 4]));
    assert.equal(await timedIn(catalogue), 0);
    assert.ok(!catalogue.has(a));
    assert.ok(catalogue.reuse(listed(a), WHOLE));
    assert.ok(catalogue.reuse(listed(a), WHOLE));
    assert.ok(catalogue.has(a));
    assert.deepEqual([await timedIn(catalogue), catalogue.reused], [1, 1]);
  });

  test('is read again when its size, its version or its path is another', () => {
    const catalogue = knowing(a);
    for (const change of [{ size: 1 }, { version: '7' }, { path: '/data/b' }])
      assert.ok(!catalogue.reuse({ ...listed(a), ...change }, ESTIMATE));
    assert.equal(catalogue.reused, 0);
  });

  test('is not read again for what is wrong with its content, but for what went wrong in reading', () => {
    const unreadable = failedWith(listed(a), new Failure('file-forbidden', { path: a.path }).toRecord());
    assert.ok(!knowing(unreadable).reuse(listed(a), WHOLE));
    const noCapture = failedMap('x');
    assert.ok(knowing(noCapture).reuse(listed(noCapture), WHOLE));
  });

  test('is read again where a whole map is wanted and there is but an estimate', () => {
    const estimate = { ...a, estimated: true };
    assert.ok(!knowing(estimate).reuse(listed(a), WHOLE));
    assert.ok(knowing(estimate).reuse(listed(a), ESTIMATE));
    assert.ok(knowing(a).reuse(listed(a), ESTIMATE));
  });

  test('by GopherCap, which tells no version, is read again', () => {
    const foreign = { ...a, version: null };
    assert.ok(!knowing(foreign).reuse({ ...listed(a), version: '' }, WHOLE));
  });

  test('in a tarball belongs to the mapping with its tarball, and only with the whole of it', async () => {
    const tar: FileMap = {
      ...listed(a),
      fileSize: 99,
      path: '/data/t.tar',
      version: '5',
      status: 'archive',
      members: 2,
      filter: 'f',
    };
    const members = ['x', 'y'].map((name) => ({ ...mappedFile(name, [1, 2]), archive: '/data/t.tar' }));
    const whole = knowing(...members, tar);
    assert.ok(whole.reuse(listed(tar), WHOLE));
    assert.deepEqual([await timedIn(whole), whole.reused], [2, 1]);
    assert.ok(!knowing(...members, tar).reuse(listed(tar), { ...WHOLE, filter: 'other' }));
    const refused: FileMap = {
      ...failedWith(listed(a), new Failure('member-refused', { path: 'x', reason: 'r' }).toRecord()),
      path: '/data/t.tar!/../x',
      archive: '/data/t.tar',
    };
    const withRefused = knowing(...members, refused, tar);
    assert.ok(withRefused.reuse(listed(tar), WHOLE));
    assert.equal((await withRefused.arrange(async () => '')).failed.length, 1);
    const half = knowing(...members);
    assert.ok(!half.reuse(listed(tar), WHOLE));
    assert.equal(await timedIn(half), 0);
  });
});

test('a mapping has the files, lanes and sums of the data set of the same maps', async () => {
  const instant = fc.bigInt({ min: 0n, max: 40n });
  const mapped = fc
    .record({ id: fc.nat(60), span: fc.option(fc.tuple(instant, instant)), packets: fc.nat(1000) })
    .map(({ id, span, packets }): FileMap => {
      const sorted =
        span && ([span[0] < span[1] ? span[0] : span[1], span[0] < span[1] ? span[1] : span[0]] as const);
      return mappedFile(`f${id}`, sorted, { packets });
    });
  const any = fc.oneof(
    { weight: 5, arbitrary: mapped },
    { weight: 1, arbitrary: fc.nat(99).map((id) => failedMap(`x${id}`)) },
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(any, { selector: ({ path }) => path, maxLength: 40 }), async (maps) => {
      const expected = buildDataSet(maps);
      const set = await mappedSetOf(maps);
      const files = [];
      for await (const file of set.files) files.push(file);
      assert.deepEqual(files, expected.files);
      const names = async (some: Iterable<FileMap> | AsyncIterable<FileMap>): Promise<string[]> => {
        const all: string[] = [];
        for await (const { path } of some) all.push(path);
        return all;
      };
      assert.deepEqual(
        await names(set.empty),
        expected.empty.map(({ path }) => path),
      );
      assert.deepEqual(
        await names(set.failed),
        expected.failed.map(({ path }) => path),
      );
      assert.deepEqual([set.span, set.lanes, set.totals], [expected.span, expected.lanes, expected.totals]);
    }),
  );
});
