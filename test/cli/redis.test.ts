// Commands and their Redis: one that is not there, does not answer or is no Redis at all, one without mappers, and
// a shared one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { runCapfleet, type Ended } from '../support/capfleet.ts';
import { makeMapPlace, readDumpFile, runMap } from '../support/map-cli.ts';
import { startRedis } from '../support/redis-server.ts';

/** A server on a loopback port that treats every connection as told. */
async function listen(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a Redis URL may lead to. */
const wrongPlaces: Record<string, (t: TestContext) => Promise<string>> = {
  'a port where nobody listens': () => Promise.resolve('redis://127.0.0.1:1'),
  'a socket that is not there': () => Promise.resolve('unix:/nowhere/redis.sock'),
  'a name that no host has': () => Promise.resolve('redis://no-such-host.invalid'),
  'a server that says nothing': (t) => listen(t, () => {}),
  'a server that hangs up': (t) => listen(t, (socket) => socket.end()),
  'a server that speaks something else': (t) =>
    listen(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
};

async function timed(run: () => Promise<Ended>): Promise<{ ended: Ended; lasted: number }> {
  const began = performance.now();
  const ended = await run();
  return { ended, lasted: performance.now() - began };
}

describe('capfleet', { concurrency: 3 }, () => {
  for (const [what, place] of Object.entries(wrongPlaces)) {
    test(`says within five seconds of its start that it cannot reach Redis: ${what}`, async (t) => {
      const url = await place(t);
      const mapPlace = await makeMapPlace(t, { 'a.pcap.gz': [0] });
      const { lasted, ended } = await timed(() => runMap(mapPlace, ['--redis', url]));
      const { code, stdout, stderr } = ended;
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.ok(stderr.startsWith(`capfleet: cannot reach Redis at ${url}: `), stderr);
      assert.match(stderr, /check --redis/);
      assert.equal(stderr.trim().split('\n').length, 2, 'two lines, no more');
      assert.ok(lasted < 5000, `${lasted} ms`);
    });
  }

  test('does not print the password of a Redis that it cannot reach', async () => {
    const args = ['status', '--redis', 'redis://user:secret@127.0.0.1:1'];
    const { code, stdout, stderr } = await runCapfleet(args);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /redis:\/\/user:\*\*\*@127\.0\.0\.1:1/);
    assert.doesNotMatch(stderr, /secret/);
  });

  test('does not take the first database for one that the server has not', async (t) => {
    const { url } = await startRedis(t, { password: 'of-the-tests' });
    const [there, gone] = [`${url}/15`, `${url}/9999`];
    for (const args of [['status'], ['doctor', '--json'], ['mapper']]) {
      const { code, stdout, stderr } = await runCapfleet([...args, '--redis', gone]);
      assert.equal(code, 1, stderr);
      assert.match(stdout + stderr, /cannot reach Redis at redis:.*\/9999: ERR DB index is out of range/);
    }
    assert.equal((await runCapfleet(['status', '--redis', there])).code, 0);
  });

  test('without redis-server on the machine says how to get one', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    const bin = join(place.dir, 'bin');
    await mkdir(bin);
    for (const tool of ['sh', 'cat', 'rm']) await symlink(`/bin/${tool}`, join(bin, tool));
    const { code, stdout, stderr } = await runMap(place, [], { env: { ...process.env, PATH: bin } });
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(
      stderr,
      'capfleet: redis-server is not installed\n' +
        '          install it (`apt-get install redis-server`) or give a running one with --redis URL\n',
    );
  });

  test('without a folder for temporary files names the folder', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    const gone = join(place.dir, 'gone');
    const { code, stderr } = await runMap(place, [], { env: { ...process.env, TMPDIR: gone } });
    assert.equal(code, 1);
    assert.ok(stderr.includes(gone), stderr);
    assert.doesNotMatch(stderr, /internal error|\n {4}at /);
  });

  test('gives a map up when no mapper shows up in time, and says how to start one', async (t) => {
    const redis = await startRedis(t);
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    const args = ['--redis', redis.url, '--file-workers', '0', '--worker-timeout', '300ms'];
    const { code, stdout, stderr } = await runMap(place, args);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^capfleet: no mapper took a job within 0\.3 s\n/);
    assert.ok(stderr.includes(`capfleet mapper --redis ${redis.url}`));
  });

  test('brings mappers of its own to a shared Redis when asked to', async (t) => {
    const redis = await startRedis(t);
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0], 'b.pcap.gz': [1] });
    const { code, stderr } = await runMap(place, ['--redis', redis.url, '--file-workers', '2']);
    assert.equal(code, 0, stderr);
    assert.equal((await readDumpFile(place.dump)).files.length, 2);
  });

  test('leaves nothing of a finished map in a shared Redis but what BullMQ keeps of its queue', async (t) => {
    const redis = await startRedis(t);
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0], 'b.pcap.gz': [1] });
    assert.equal((await runMap(place, ['--redis', redis.url])).code, 0);
    const client = connect(redis.url, 'test', silentLogger());
    t.after(async () => {
      client.disconnect();
    });
    const keys = await client.keys('*');
    assert.deepEqual(
      keys.filter((key) => !/^\{capfleet\}:map:(meta|id|events|marker|stalled-check)$/.test(key)),
      [],
    );
  });
});
