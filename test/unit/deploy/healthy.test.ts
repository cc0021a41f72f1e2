// The health check of the images: it asks its own service, wherever that was told to listen.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { test } from 'node:test';

const PROGRAM = resolve(import.meta.dirname, '../../../deploy/images/healthy.mjs');

async function check(env: Record<string, string>): Promise<number | null> {
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

for (const [variable, host] of [
  ['CAPFLEET_LISTEN', '0.0.0.0'],
  ['CAPFLEET_METRICS_LISTEN', '127.0.0.2'],
] as const) {
  test(`is well where ${variable} says, at ${host}, and only while that is ready`, async (t) => {
    let status = 200;
    const asked: string[] = [];
    const server = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(status).end();
    });
    server.listen(0, host);
    await once(server, 'listening');
    t.after(() => server.close());
    const env = { [variable]: `${host}:${String((server.address() as AddressInfo).port)}` };
    assert.equal(await check(env), 0);
    status = 503;
    assert.equal(await check(env), 1);
    assert.deepEqual(asked, ['/readyz', '/readyz']);
  });
}
