import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSmallFile } from '@capfleet/shared/config/small-file';
import { trustAlso } from '@capfleet/shared/config/trusted-cas';
import { optionsOf } from '@capfleet/shared/redis/connection-options';
import { tempDir } from '../../../support/temp-dir.ts';
import { makeTlsFiles } from '../../../support/tls-files.ts';

test('what is no file, or has no end, is refused at once wherever a small file is named', async (t) => {
  const dir = await tempDir(t);
  const [pipe, long] = [join(dir, 'pipe'), join(dir, 'long')];
  execFileSync('mkfifo', [pipe]);
  writeFileSync(long, Buffer.alloc(17 * 1024 * 1024));
  const { clientCert, clientKey } = makeTlsFiles(dir);
  for (const [path, reason] of [
    [pipe, /no regular file/],
    ['/dev/zero', /no regular file/],
    [long, /too long/],
    [dir, /EISDIR/],
  ] as const) {
    assert.throws(
      () => {
        trustAlso([path]);
      },
      { code: 'ca-file-invalid', message: reason },
    );
    for (const shown of [`cert=${path}&key=${clientKey}`, `cert=${clientCert}&key=${path}`])
      assert.throws(() => optionsOf(`rediss://h?${shown}`), {
        code: 'redis-certificate-invalid',
        message: reason,
      });
  }
});

test('a file is read whole, up to what was allowed', async (t) => {
  const path = join(await tempDir(t), 'file');
  for (const size of [0, 1, 65_536, 200_000]) {
    const content = Buffer.alloc(size, 'ab');
    writeFileSync(path, content);
    assert.ok(readSmallFile(path, 200_000).equals(content));
  }
  assert.throws(() => readSmallFile(path, 199_999), /too long, at most 199999 bytes/);
});
