// A Redis whose certificate only an authority of the site vouches for, and one that asks for a certificate in turn.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import { freePorts, startRedisProcess } from '../support/redis-processes.ts';
import { makeMappedSet, playedReport, SHORT_LEAD } from '../support/replay-cli.ts';
import { startCapfleet, startReplayer, type Running } from '../support/start-capfleet.ts';
import { makeTlsFiles, tlsOfRedis } from '../support/tls-files.ts';
import type { AfterHook } from '../support/temp-dir.ts';

function run(t: AfterHook, args: readonly string[]): Running['ended'] {
  return startCapfleet(t, args).ended;
}

async function replays(t: AfterHook, redis: string, caFile: string, dump: string): Promise<void> {
  const agent = await startReplayer(t, redis, 'one', ['--interface', 'null'], {
    env: { ...process.env, CAPFLEET_CA_FILE: caFile },
  });
  const replay = ['replay', '--redis', redis, '--ca-file', caFile, '--dump-json', dump, '--json'];
  const ended = await run(t, [...replay, '--sensors', 'one', ...SHORT_LEAD]);
  assert.equal(ended.code, 0, `${ended.stderr}\n${agent.output.stderr}`);
  assert.equal(playedReport(ended).totals.sent, 3);
}

test('authorities of one’s own are trusted by command and agent, its threads too, and by none without them', async (context) => {
  const t = lastFirst(context);
  const { dir, dump } = await makeMappedSet(t, { 'a.pcap': [0, 10, 20] });
  const [port = 0] = await freePorts(1);
  const files = makeTlsFiles(dir);
  startRedisProcess(t, join(dir, 'redis'), tlsOfRedis(port, files, false));
  const redis = `rediss://127.0.0.1:${String(port)}`;
  await replays(t, redis, files.ca, dump);

  const stranger = await run(t, ['status', '--redis', redis]);
  assert.equal(stranger.code, 1, stranger.stderr);
  assert.match(stranger.stderr, /cannot reach Redis.*self-signed certificate.*--ca-file/s);

  const [none, empty] = [join(dir, 'none.pem'), join(dir, 'empty.pem')];
  writeFileSync(empty, 'nothing');
  for (const [file, reason] of [
    [none, 'ENOENT'],
    [empty, 'it holds no PEM certificate'],
  ] as const) {
    const refused = await run(t, ['status', '--redis', redis, '--ca-file', `${files.ca},${file}`]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.ok(refused.stderr.includes(file) && refused.stderr.includes(reason), refused.stderr);
  }
});

test('a Redis that asks for a certificate is shown that of the URL, by its sentinels too', async (context) => {
  const t = lastFirst(context);
  const { dir, dump } = await makeMappedSet(t, { 'a.pcap': [0, 10, 20] });
  const [port = 0, sentinelPort = 0] = await freePorts(2);
  const files = makeTlsFiles(dir);
  startRedisProcess(t, join(dir, 'redis'), tlsOfRedis(port, files, true));
  startRedisProcess(
    t,
    join(dir, 'sentinel'),
    [...tlsOfRedis(sentinelPort, files, true), `sentinel monitor lab 127.0.0.1 ${String(port)} 1`],
    '--sentinel',
  );
  const shown = `cert=${encodeURIComponent(files.clientCert)}&key=${files.clientKey}`;
  const redis = `rediss+sentinel://127.0.0.1:${String(sentinelPort)}/lab`;
  await replays(t, `${redis}?${shown}`, files.ca, dump);

  const server = `rediss://127.0.0.1:${String(port)}`;
  const status = (url: string): Running['ended'] => run(t, ['status', '--redis', url, '--ca-file', files.ca]);
  assert.equal((await status(`${server}?${shown}`)).code, 0);
  assert.equal((await status(server)).code, 1);

  const mapper = ['mapper', '--ca-file', files.ca, '--redis'];
  for (const args of [['status', '--ca-file', files.ca, '--redis'], mapper]) {
    const refused = await run(t, [...args, `${server}?cert=${files.clientCert}&key=${files.key}`]);
    assert.equal(refused.code, 2, refused.stderr);
    assert.ok(refused.stderr.includes(files.clientCert), refused.stderr);
    assert.match(refused.stderr, /key values mismatch/);
  }
});
