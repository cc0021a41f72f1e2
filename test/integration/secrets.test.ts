// No secret stands in what services and commands say, whatever goes wrong: the password of Redis, the token, the keys of S3.
// The same lines name the run, the sensor and the job that they are about.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import { stamps } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet } from '../support/replay-cli.ts';
import { metricsUrl, probe, SERVED } from '../support/scrape.ts';
import { startCapfleet, TOKEN, type Running } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const PASSWORD = 'pass/word+of the-tests';
const S3_SECRET = 'secret+key/of-the-tests';
const SESSION = 'session/token+of-the-tests';
const WRONG = 'wrong-password-of-the-tests';

const REFUSAL = `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>Authorization: Bearer ${SESSION}</Message></Error>`;

test('no secret is told by services or commands, whatever goes wrong', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t, { password: PASSWORD });
  const dump = join(await tempDir(t), 'map.json');
  // An S3 that refuses, and says more than it should.
  const s3 = createServer((request, response) => {
    response
      .writeHead(403, { 'content-type': 'application/xml' })
      .end(request.method === 'HEAD' ? '' : REFUSAL);
  }).listen(0, '127.0.0.1');
  await once(s3, 'listening');
  t.after(async () => void s3.close());
  const endpoint = `http://127.0.0.1:${(s3.address() as AddressInfo).port}`;
  const env = {
    ...process.env,
    CAPFLEET_TOKEN: TOKEN,
    CAPFLEET_REDIS: redis.url,
    AWS_ACCESS_KEY_ID: 'KEY',
    AWS_SECRET_ACCESS_KEY: S3_SECRET,
    AWS_SESSION_TOKEN: SESSION,
  };
  const all: Running[] = [];
  const start = (...args: string[]): Running => {
    const started = startCapfleet(t, args, { env });
    all.push(started);
    return started;
  };
  const debug = ['--log-level', 'debug'];
  const s3Options = ['--s3-endpoint', endpoint, '--s3-path-style'];
  const coordinator = start('coordinator', '--listen', '127.0.0.1:0', ...debug);
  const mapper = start('mapper', ...s3Options, ...SERVED, ...debug);
  const replayer = start('replayer', '--sensor', 'one', '--interface', 'null', ...SERVED, ...debug);
  await Promise.all([coordinator, mapper, replayer].map((each) => each.says(' ready')));
  const urls = [await metricsUrl(mapper), await metricsUrl(replayer)];
  const [, api = ''] = /"address":"([^"]+)"/.exec(coordinator.output.stderr) ?? [];

  // S3 refuses; the token is wrong; the password is; the URL is none.
  const map = start('map', '--source', 's3://bucket/x', '--dump-json', dump, ...s3Options, ...debug);
  assert.equal((await map.ended).code, 1);
  const headers = { authorization: `Bearer ${WRONG}` };
  assert.equal((await fetch(`${api}/v1/runs`, { headers })).status, 401);
  const { port } = new URL(redis.url);
  const refused = start('mapper', '--redis', `redis://:${WRONG}@127.0.0.1:${port}`);
  assert.equal((await refused.ended).code, 1);
  const misspelt = start('mapper', '--redis', `redis//:${WRONG}@127.0.0.1:${port}`);
  assert.equal((await misspelt.ended).code, 2);

  // Redis goes away, and comes back.
  await redis.kill();
  const told: string[] = [];
  for (const url of [...urls, api])
    await waitFor(`${url} not to be ready`, async () => {
      const [status, { reasons = [] }] = await probe(url, '/readyz');
      told.push(...reasons);
      return status === 503;
    });
  await fetch(`${api}/v1/runs`, { headers: { authorization: `Bearer ${TOKEN}` } });
  await Promise.all([mapper, replayer, coordinator].map((each) => each.says('redis connection')));
  await redis.start();
  for (const url of [...urls, api])
    await waitFor('them to be ready', async () => (await probe(url, '/readyz'))[0] === 200);
  for (const each of [coordinator, mapper, replayer]) each.signal('SIGTERM');
  for (const each of [coordinator, mapper, replayer]) await each.ended;

  const said = all.map(({ output }) => output.stdout + output.stderr).join('') + told.join('\n');
  assert.match(said, /cannot reach Redis at redis:\/\/:\*\*\*@127/);
  for (const secret of [PASSWORD, S3_SECRET, SESSION, WRONG, TOKEN])
    for (const written of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      assert.equal(
        said.includes(written),
        false,
        said.split('\n').find((line) => line.includes(written)),
      );
  for (const line of replayer.output.stderr.split('\n').filter((each) => each.startsWith('{')))
    assert.equal((JSON.parse(line) as { sensor?: string }).sensor, 'one', line);
});

test('a password given to a command does not stand on the command line of what it starts', async (context) => {
  const t = lastFirst(context);
  const redis = await startRedis(t, { password: PASSWORD });
  const childrenOf = async (parent: number): Promise<string[]> => {
    const commands: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      if (Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]) !== parent) continue;
      commands.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
      commands.push(...(await childrenOf(Number(pid))));
    }
    return commands;
  };
  const set = await makeMappedSet(t, { 'a.pcap': stamps(0, 10, 100) });
  const env = { ...process.env, CAPFLEET_REDIS: redis.url };
  const dump = join(set.dir, 'again.json');
  for (const [service, ...args] of [
    ['mapper', 'map', '--source', set.captures, '--dump-json', dump, '--file-workers', '2'],
    ['replayer', 'replay', '--dump-json', set.dump, '--out-interface', 'null', '--lead', '20s'],
  ] as const) {
    const running = startCapfleet(t, args, { env });
    const started = await waitFor(`a ${service}`, async () => {
      const found = (await childrenOf(running.pid)).filter((command) => command !== '');
      return found.some((command) => command.split('\0').includes(service)) && found;
    });
    const told = started.join('\n');
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)])
      assert.equal(told.includes(secret), false, told);
    running.signal('SIGINT');
    await running.ended;
  }
});

test('what a client hangs on its errors is not logged: a refused command of Redis has its arguments', async (context) => {
  const t = lastFirst(context);
  const logger = new URL('../../shared/dist/log/logger.js', import.meta.url).href;
  const script = `
    import { createLogger } from ${JSON.stringify(logger)};
    const error = Object.assign(new Error('WRONGPASS'), { code: 'EX', command: { name: 'auth', args: [${JSON.stringify(WRONG)}] } });
    createLogger('test', 'info').child({ run: 'r' }).error({ err: error, url: 'https://u:${WRONG}@h' }, 'refused');
  `;
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(async () => void child.kill());
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child, 'close');
  assert.doesNotMatch(said, new RegExp(WRONG));
  const { service, run, msg, url, err } = JSON.parse(said) as Record<string, unknown>;
  assert.deepEqual([service, run, msg, url], ['test', 'r', 'refused', 'https://u:***@h']);
  const { message, code, command } = err as Record<string, unknown>;
  assert.deepEqual([message, code, command], ['WRONGPASS', 'EX', undefined]);
});
