// The coordinator's token, as a file or the environment gives it.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { tokenOf } from '@capfleet/cli/token';
import type { Failure } from '@capfleet/shared/errors/failure';

const token = '0123456789abcdef0123456789abcdef';
const folder = mkdtempSync(join(tmpdir(), 'capfleet-token-'));
after(() => {
  rmSync(folder, { recursive: true });
});

async function read(tokenFile: string): Promise<{ token: string; said: string }> {
  const stderr = new PassThrough({ encoding: 'utf8' });
  return {
    token: await tokenOf({ tokenFile }, { environment: {}, stderr }),
    said: String(stderr.read() ?? ''),
  };
}

function fileOf(mode: number): string {
  const path = join(folder, mode.toString(8));
  writeFileSync(path, `${token}\n`);
  chmodSync(path, mode);
  return path;
}

test('a token that others on the host may read is taken with one line of warning, and how to mend it', async () => {
  for (const mode of [0o644, 0o604, 0o602]) {
    const path = fileOf(mode);
    assert.deepEqual(await read(path), {
      token,
      said: `capfleet: others on this host may use the token in ${path}; keep it to yourself: chmod 600 ${path}\n`,
    });
  }
  for (const mode of [0o600, 0o640]) assert.deepEqual(await read(fileOf(mode)), { token, said: '' });
});

test('a token file that is not there, or a folder, is named with the way out', async () => {
  const path = join(folder, 'missing');
  for (const [place, reason] of [
    [path, 'there is no such file'],
    [folder, 'it is a folder'],
  ] as const) {
    await assert.rejects(read(place), ({ code, message, hint }: Failure) => {
      assert.deepEqual([code, message], ['token-file', `no token is read from ${place}: ${reason}`]);
      return hint.includes('--token-file');
    });
  }
});
