// A Redis whose certificate only an authority of the site vouches for: a real server behind TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import { lastFirst } from '../support/last-first.ts';
import { makeMappedSet, playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { startRedis } from '../support/redis-server.ts';
import { startCapfleet, startReplayer } from '../support/start-capfleet.ts';
import type { AfterHook } from '../support/temp-dir.ts';

/** @returns its URL, with TLS before the server at `redis` */
async function startTls(t: AfterHook, redis: string, folder: string): Promise<string> {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'ca.crt')];
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
  const subject = ['-subj', '/CN=site', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (client) => {
    const behind = connect(redis.slice('unix:'.length));
    client.pipe(behind).pipe(client);
    client.on('error', () => behind.destroy());
    behind.on('error', () => client.destroy());
  }).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => undefined);
  await once(server, 'listening');
  t.after(async () => {
    server.close();
  });
  return `rediss://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

test('authorities of one’s own are trusted by command and agent, its threads too, and by none without them', async (context) => {
  const t = lastFirst(context);
  const place = await makeMappedSet(t, { 'a.pcap': [0, 10, 20] });
  const redis = await startTls(t, (await startRedis(t)).url, place.dir);
  const caFile = join(place.dir, 'ca.crt');
  const run = (args: string[]): ReturnType<typeof startCapfleet>['ended'] => startCapfleet(t, args).ended;
  const stranger = await run(['status', '--redis', redis]);
  assert.equal(stranger.code, 1, stranger.stderr);
  assert.match(stranger.stderr, /cannot reach Redis.*self-signed certificate.*--ca-file/s);

  const agent = await startReplayer(t, redis, 'one', ['--interface', 'null'], {
    env: { ...process.env, CAPFLEET_CA_FILE: caFile },
  });
  const replay = ['replay', '--redis', redis, '--ca-file', caFile, '--dump-json', place.dump, '--json'];
  const ended = await run([...replay, '--sensors', 'one', ...SHORT_LEAD]);
  assert.equal(ended.code, 0, `${ended.stderr}\n${agent.output.stderr}`);
  assert.equal(playedReport(ended).totals.sent, 3);

  const [none, empty] = [join(place.dir, 'none.pem'), join(place.dir, 'empty.pem')];
  writeFileSync(empty, 'nothing');
  for (const [file, reason] of [
    [none, 'ENOENT'],
    [empty, 'it holds no PEM certificate'],
  ] as const) {
    const refused = await run(['status', '--redis', redis, '--ca-file', `${caFile},${file}`]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.ok(refused.stderr.includes(file) && refused.stderr.includes(reason), refused.stderr);
  }
});
