// What somebody who can write to Redis may put on the queue of a sensor: its agent keeps to its own fences, says what it
// refuses, sends nothing, and is there for the next plan.
import assert from 'node:assert/strict';
import { mkdir, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { redisSensorChannel } from '@capfleet/coordinator/adapters/redis-sensor-channel';
import type { PrepareJob } from '@capfleet/shared/contract/agent-messages';
import { fromSensorsKey } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { lastFirst } from '../support/last-first.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { planFile, prepareJob, sensorPlan } from '../support/play-results.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { startReplayer, type Running } from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const SENSOR = 'fenced';
const cleanUp = lastFirst({ after });
let redis: RedisServer;
let agent: Running;
let dir = '';
let askedOfS3 = 0;

const inRoot = (name: string): string => join(dir, 'root', name);

before(async () => {
  redis = await startRedis(cleanUp);
  dir = await tempDir(cleanUp);
  for (const folder of ['root', 'elsewhere']) {
    await mkdir(join(dir, folder));
    await writeNumberedSet(join(dir, folder), { 'a.pcap': stamps(0, 10, 10) });
  }
  await symlink('../elsewhere/a.pcap', inRoot('link.pcap'));
  await symlink('../elsewhere', inRoot('folder'));
  const s3 = createServer((_, response) => {
    askedOfS3 += 1;
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(s3, 'listening');
  cleanUp.after(async () => void s3.close());
  const endpoint = `http://127.0.0.1:${(s3.address() as AddressInfo).port}`;
  const fences = ['--root', join(dir, 'root'), 's3://allowed/prefix', '--s3-endpoint', endpoint];
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
  agent = await startReplayer(
    cleanUp,
    redis.url,
    SENSOR,
    ['--interface', `file:${join(dir, 'sent.pcap')}`, ...fences, '--s3-path-style'],
    { env },
  );
});

let runs = 0;

/** Puts a job on the queue; what the agent answers, or null where it has no address to answer to. */
async function answerTo(change: (job: Record<string, unknown>) => unknown): Promise<Record<string, unknown>> {
  const run = `run-${(runs += 1)}`;
  const channel = redisSensorChannel(redis.url, 'test', silentLogger());
  const client = connect(redis.url, 'test', silentLogger());
  try {
    await channel.prepare(SENSOR, change({ ...prepareJob(run, 1, SENSOR) }) as PrepareJob);
    return await waitFor(`an answer for ${run}`, async () => {
      const [[, fields] = []] = await client.xrange(fromSensorsKey(run), '-', '+');
      return fields && (JSON.parse(fields[1] ?? '') as Record<string, unknown>);
    });
  } finally {
    await channel.close();
    client.disconnect();
  }
}

async function fileOf(path: string, holder = path): Promise<object> {
  const found = await stat(holder, { bigint: true }).catch(() => null);
  return planFile({ path, fileSize: found ? Number(found.size) : 10, version: null, linkTypes: [1] });
}

const paths: [what: string, file: () => Promise<object>][] = [
  ['a path that leads out by ..', () => fileOf(inRoot('../elsewhere/a.pcap'))],
  ['a path outside', () => fileOf(join(dir, 'elsewhere/a.pcap'))],
  ['a file of the process itself', () => fileOf('/proc/self/maps')],
  ['a link that leads out', () => fileOf(inRoot('link.pcap'))],
  ['a folder that is a link', () => fileOf(inRoot('folder/a.pcap'))],
  ['a bucket that is not allowed', () => fileOf('s3://other/prefix/a.pcap')],
  ['a prefix that is not allowed', () => fileOf('s3://allowed/prefix-and-more/a.pcap')],
  [
    'a member of a tarball outside, under a name inside',
    async () => ({
      ...(await fileOf(inRoot('a.pcap'))),
      within: { path: join(dir, 'elsewhere/a.pcap'), offset: 24 },
    }),
  ],
  [
    'a member of an object outside, under a name inside',
    async () => ({
      ...(await fileOf(inRoot('a.pcap'))),
      within: { path: 's3://other/x.tar', offset: 24 },
    }),
  ],
];

describe('an agent refuses, and reads nothing of it:', () => {
  for (const [what, file] of paths)
    test(what, async () => {
      const files = [await file()];
      const answer = await answerTo((job) => ({
        ...job,
        plan: { ...sensorPlan(SENSOR), files },
      }));
      assert.deepEqual(
        [answer['type'], (answer['error'] as { code: string }).code],
        ['refused', 'file-outside-roots'],
        JSON.stringify(answer),
      );
      assert.equal(askedOfS3, 0);
    });
});

describe('an agent refuses by its schema', () => {
  const withPlan = (change: object) => (job: Record<string, unknown>) => ({
    ...job,
    plan: { ...sensorPlan(SENSOR), ...change },
  });
  const timeline = (change: object): ReturnType<typeof withPlan> =>
    withPlan({ timeline: { ...sensorPlan(SENSOR).timeline, ...change } });
  for (const [what, change] of [
    ['a command beside the plan', (job) => ({ ...job, command: 'reboot' })],
    ['an interface of the sender’s choice', (job) => ({ ...job, interface: 'eth0' })],
    [
      'a prototype in the place of what is missing',
      (job) => JSON.parse(JSON.stringify(job).replace('"plan":', '"__proto__":')) as object,
    ],
    ['a base that no clock counts', timeline({ base: '9'.repeat(400) })],
    ['a base in exponents', timeline({ base: '1e999' })],
    ['a speed of nothing', timeline({ speed: '1/0' })],
    ['a speed as long as a book', timeline({ speed: '9'.repeat(100_000) })],
    ['less than no loops', timeline({ loops: -1 })],
    ['more loops than a number holds', timeline({ loops: 1e300 })],
    ['a name with a newline and colours', withPlan({ sensor: 'a\n\u001b[31mb' })],
    ['files that are none', withPlan({ files: { length: 1e9 } })],
  ] as [string, (job: Record<string, unknown>) => unknown][])
    test(what, async () => {
      const answer = await answerTo(change);
      const { code } = answer['error'] as { code: string };
      assert.deepEqual([answer['type'], code], ['refused', 'job-invalid'], JSON.stringify(answer));
    });
});

test('it is ready for a sound plan then, and its log holds no control character', async () => {
  const files = [await fileOf(inRoot('a.pcap'))];
  const answer = await answerTo((job) => ({ ...job, plan: { ...sensorPlan(SENSOR), files } }));
  assert.equal(answer['type'], 'ready', JSON.stringify(answer));
  assert.equal(agent.isRunning(), true);
  // eslint-disable-next-line no-control-regex -- these are the ones
  assert.doesNotMatch(agent.output.stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  for (const line of agent.output.stderr.trim().split('\n')) JSON.parse(line);
});
