// Who watches the requests to S3 hears of every attempt, those of our own retries too.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { defaultS3Options } from '@capfleet/shared/source/s3/s3-options';
import { s3Source } from '@capfleet/shared/source/s3/s3-source';

process.env['AWS_ACCESS_KEY_ID'] = 'key';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

test('each attempt at a request to S3 is told, with its status or the name of what broke', async (t) => {
  const statuses = [503, 200, 404];
  const server = createServer((_request, response) => {
    response.writeHead(statuses.shift() ?? 500, { 'content-length': 7, etag: '"e"' }).end();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const told: [string, string | null][] = [];
  const options = { ...defaultS3Options, endpoint, region: 'x', pathStyle: true, attempts: 2 };
  const source = s3Source(options, (...args) => told.push(args));
  assert.equal((await source.stat('s3://bucket/a')).size, 7);
  await assert.rejects(source.stat('s3://bucket/b'));
  server.close();
  server.closeAllConnections();
  await assert.rejects(source.stat('s3://bucket/c'));
  assert.deepEqual(told, [
    ['HeadObject', '503'],
    ['HeadObject', null],
    ['HeadObject', '404'],
    // That of the connection that was open may have another name.
    told[3],
    ['HeadObject', 'ECONNREFUSED'],
  ]);
  assert.ok(told[3]?.[1]);
});
