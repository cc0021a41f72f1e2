// Streams as they are read from a Redis whose part changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { readStream } from '@capfleet/shared/redis/stream';
import { startRedis } from '../support/redis-server.ts';
import { waitFor } from '../support/wait-for.ts';

test('who waits for an entry when the server becomes a replica finds none, and can ask again', async (t) => {
  const { url } = await startRedis(t);
  const [reader, other] = ['reader', 'other'].map((purpose) => connect(url, purpose, silentLogger()));
  assert.ok(reader && other);
  t.after(() => {
    reader.disconnect();
    other.disconnect();
  });
  const reading = readStream(reader, 'words', '$', 30_000);
  await waitFor('it waits', async () => (await other.info('clients')).includes('blocked_clients:1'));
  await other.call('REPLICAOF', '127.0.0.1', '1');
  assert.deepEqual(await reading, []);
  await other.call('REPLICAOF', 'NO', 'ONE');
  await other.xadd('words', '*', 'message', 'hello');
  assert.equal((await readStream(reader, 'words', '0', 1000))[0]?.fields['message'], 'hello');
});
