// `npm run audit` against an advisory service of the test's own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { tempDir } from '../support/temp-dir.ts';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/audit.ts');

const advisory = (severity: string): object => ({
  id: 1,
  url: 'https://advisories.invalid/1',
  title: 'a hole',
  severity,
  vulnerable_versions: '*',
});

/** What a registry says of a package, as little as npm takes. */
function documentOf(path: string): object {
  const name = decodeURIComponent(path.slice(1));
  const version = '0.0.1';
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { name, version } } };
}

/** @param advisories by package; null: it refuses */
async function audit(
  t: TestContext,
  advisories: Record<string, object[]> | null,
): Promise<{ code: unknown; said: string; asked: string }> {
  let asked = '';
  const service = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      asked += (body[0] === 0x1f ? gunzipSync(body) : body).toString();
      response
        .writeHead(advisories ? 200 : 405, { 'content-type': 'application/json' })
        .end(JSON.stringify(request.method === 'POST' ? (advisories ?? {}) : documentOf(request.url ?? '')));
    });
  }).listen(0, '127.0.0.1');
  t.after(() => service.close());
  await once(service, 'listening');
  const registry = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
  const child = spawn(process.execPath, [SCRIPT], {
    env: {
      ...process.env,
      npm_config_registry: registry,
      npm_config_cache: await tempDir(t),
      npm_config_fetch_retries: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [code] = (await once(child, 'close')) as unknown[];
  return { code, said, asked };
}

describe('the audit of dependencies', () => {
  test('fails for a severe hole in a package that is shipped, and names it', async (t) => {
    const { code, said } = await audit(t, { zod: [advisory('high')] });
    assert.equal(code, 1, said);
    assert.match(said, /high: zod \*/);
  });

  test('tells of a lesser one, and looks at no tool of the development', async (t) => {
    const { code, said, asked } = await audit(t, { zod: [advisory('low')] });
    assert.equal(code, 0, said);
    assert.match(said, /low [1-9]/);
    assert.match(asked, /"bullmq"/);
    assert.doesNotMatch(asked, /"eslint"/);
  });

  test('says that it could not look where nobody answers, and does not fail', async (t) => {
    const { code, said } = await audit(t, null);
    assert.equal(code, 0, said);
    assert.match(said, /NOT CHECKED/);
  });
});
