// What the file link takes for a file, and what it says of anything else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openNativePacer } from '@capfleet/replayer/adapters/native-pacer';
import { loadNative } from '@capfleet/replayer/native/binding';
import { Failure } from '@capfleet/shared/errors/failure';
import { tempDir } from '../../../support/temp-dir.ts';

const run = promisify(execFile);
const skip = loadNative() === null && 'the native core is not built: npm run build';

function assertRefused(path: string): void {
  assert.throws(
    () => openNativePacer({ kind: 'file', path }),
    (error) => {
      assert.ok(error instanceof Failure && error.code === 'link-file-kind', String(error));
      assert.ok(error.message.includes(path) && error.hint.includes('path of a file'));
      return true;
    },
  );
}

test('a FIFO is refused at once, whether it has a reader or not', { skip }, async (t) => {
  const path = join(await tempDir(t), 'fifo');
  await run('mkfifo', [path]);
  assertRefused(path);
  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.after(() => reader.close());
  assertRefused(path);
});

test('a folder and a socket are refused', { skip }, async (t) => {
  const dir = await tempDir(t);
  assertRefused(dir);
  const path = join(dir, 'socket');
  const server = createServer().listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
  assertRefused(path);
});

test('a file, new or old, and a character device are taken', { skip }, async (t) => {
  const dir = await tempDir(t);
  const old = join(dir, 'old.pcap');
  await writeFile(old, 'what was there');
  for (const path of [old, join(dir, 'new.pcap'), '/dev/null']) {
    openNativePacer({ kind: 'file', path }).close();
  }
});

test('a folder that is not there is told with its reason', { skip }, async (t) => {
  const path = join(await tempDir(t), 'no', 'out.pcap');
  assert.throws(
    () => openNativePacer({ kind: 'file', path }),
    (error) =>
      error instanceof Failure && error.code === 'link-failed' && /out\.pcap.*ENOENT/.test(error.message),
  );
});
