import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PlanFile } from '@capfleet/shared/dataset/replay-plan';
import { moveRoots } from '@capfleet/shared/dataset/roots';

const at = (path: string, more: Partial<PlanFile> = {}): PlanFile => ({
  path,
  fileSize: 10,
  version: '5',
  earliest: '0',
  latest: '1',
  packets: 2,
  maxCaptured: 60,
  linkTypes: [1],
  ...more,
});
const pathsOf = (files: readonly PlanFile[]): string[] => files.map(({ path }) => path);

describe('files under another root', () => {
  test('keep what is below it, whatever slashes were typed', () => {
    for (const [from, to] of [
      ['/mnt/pcap', '/data'],
      ['/mnt/pcap/', '/data//'],
    ] as const) {
      const moved = moveRoots([at('/mnt/pcap/a.pcap'), at('/mnt/pcap/sub/b.pcap')], [{ from, to }]);
      assert.deepEqual(pathsOf(moved), ['/data/a.pcap', '/data/sub/b.pcap']);
    }
  });

  test('are known by their size alone, for a copy has another time', () => {
    const [moved, stayed] = moveRoots([at('/a/x'), at('/b/x')], [{ from: '/a', to: '/c' }]);
    assert.deepEqual([moved?.version, moved?.fileSize], [null, 10]);
    assert.deepEqual(stayed, at('/b/x'));
  });

  test('follow the longest root that holds them', () => {
    const moves = [
      { from: '/a', to: '/x' },
      { from: '/a/b', to: '/y' },
    ];
    assert.deepEqual(pathsOf(moveRoots([at('/a/b/1'), at('/a/c/2')], moves)), ['/y/1', '/x/c/2']);
  });

  test('are not those of a folder whose name only begins like it', () => {
    const files = [at('/a/1'), at('/ab/2')];
    assert.deepEqual(pathsOf(moveRoots(files, [{ from: '/a', to: '/x' }])), ['/x/1', '/ab/2']);
  });

  test('may come from S3 and go there, and the root may be the file itself', () => {
    const move = [{ from: 's3://bucket/set', to: '/mnt/pcap' }];
    assert.deepEqual(pathsOf(moveRoots([at('s3://bucket/set/a b.pcap')], move)), ['/mnt/pcap/a b.pcap']);
    assert.deepEqual(pathsOf(moveRoots([at('/x/a.pcap')], [{ from: '/x/a.pcap', to: 's3://b/k' }])), [
      's3://b/k',
    ]);
  });

  test('in a tarball move with their tarball', () => {
    const member = at('/mnt/t.tar!/a.pcap', { within: { path: '/mnt/t.tar', offset: 512 } });
    const [moved] = moveRoots([member], [{ from: '/mnt', to: '/data' }]);
    assert.deepEqual(
      [moved?.path, moved?.within],
      ['/data/t.tar!/a.pcap', { path: '/data/t.tar', offset: 512 }],
    );
  });

  test('are refused where no file lies below a root', () => {
    assert.throws(() => moveRoots([at('/a/1')], [{ from: '/aa', to: '/x' }]), {
      code: 'root-unused',
      fields: { root: '/aa', path: '/a/1' },
    });
  });
});
