// Listings as servers may answer them; a real server is asked in test/s3.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListObjectsV2CommandOutput, _Object } from '@aws-sdk/client-s3';
import { listObjects } from '@capfleet/shared/source/s3/s3-listing';
import type { SourceFile } from '@capfleet/shared/source/source';

async function listed(page: Partial<ListObjectsV2CommandOutput>): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const ask = (): Promise<ListObjectsV2CommandOutput> => Promise.resolve({ $metadata: {}, ...page });
  const noObject = (): Promise<SourceFile> => Promise.reject(new Error('asked for one object'));
  const all = { suffix: '', pattern: null };
  for await (const file of listObjects('s3://bucket/set', all, ask, noObject)) files.push(file);
  return files;
}

const object = (Key: string, Size = 100): _Object => ({ Key, Size, ETag: '"e"' });

test('a listing that is cut off without a way to go on is no whole one', async () => {
  await assert.rejects(listed({ Contents: [object('set/a')], IsTruncated: true }), { code: 's3-rejected' });
});

test('a key that is no UTF-8 does not end the listing', async () => {
  const files = await listed({
    EncodingType: 'url',
    Contents: [object('set/%ff.pcap'), object('set/a+b%20c')],
  });
  assert.deepEqual(
    files.map(({ path }) => path),
    ['s3://bucket/set/%ff.pcap', 's3://bucket/set/a b c'],
  );
});

test('what marks a folder is no file, also where something is in it', async () => {
  const files = await listed({ Contents: [object('set/', 7), object('set/below/', 0), object('set/a')] });
  assert.deepEqual(
    files.map(({ name }) => name),
    ['a'],
  );
});
