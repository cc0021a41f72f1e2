// What the page rests on: time lines and courses of the size of a picture, sessions for the pages of the queues, headers.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimelineKey } from '@capfleet/shared/contract/keys';
import type { PlanSummary, RunCourse, SetTimeline } from '@capfleet/shared/contract/api';
import { connect } from '@capfleet/shared/redis/connect';
import { silentLogger } from '@capfleet/shared/log/logger';
import { sending, startApi, type CoordinatorApi } from '../support/coordinator-api.ts';
import { lastFirst } from '../support/last-first.ts';
import { stamps } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { makeMappedSet } from '../support/replay-cli.ts';

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let api: CoordinatorApi;
before(async () => {
  redis = await startRedis(cleanUp);
  api = await startApi(cleanUp, redis.url);
  const { dump } = await makeMappedSet(cleanUp, {
    'a.pcap': stamps(0, 100, 20),
    'b.pcap': stamps(500, 50, 20),
    'c.pcap': stamps(4000, 50, 20),
  });
  const put = await api.ask('/v1/sets/lab', sending('PUT', await readFile(dump, 'utf8')));
  assert.equal(put.status, 200, put.message);
});

const sum = (values: readonly number[] = []): number => values.reduce((all, value) => all + value, 0);

describe('the time line of a set', () => {
  test('has lanes, pauses, overlaps and packets over time, as fine as it is asked for', async () => {
    const { status, body } = await api.ask('/v1/sets/lab/timeline?buckets=100&lanes=1');
    assert.equal(status, 200);
    const timeline = body as SetTimeline;
    assert.deepEqual([timeline.set, timeline.laneCount, timeline.shown.length], ['lab', 2, 1]);
    assert.equal(timeline.packets.length, 96);
    assert.equal(sum(timeline.packets), 200);
    assert.equal(sum(timeline.shown[0]?.packetsOver) + sum(timeline.others?.packetsOver), 200);
    assert.equal(timeline.shown[0]?.pauses, 1);
    assert.equal(timeline.overlaps[0]?.lanes, 2);
  });

  test('is refused where it is asked for otherwise, or there is no such set', async () => {
    assert.equal((await api.ask('/v1/sets/lab/timeline?buckets=100000')).code, 'request-invalid');
    assert.equal((await api.ask('/v1/sets/gone/timeline')).code, 'set-unknown');
  });

  test('is drawn again for a set that was kept without one', async () => {
    const before = await api.ask('/v1/sets/lab/timeline');
    const client = connect(redis.url, 'test', silentLogger());
    const keys = await client.keys(setTimelineKey('*'));
    assert.equal(keys.length, 1);
    await client.del(keys);
    client.disconnect();
    assert.deepEqual((await api.ask('/v1/sets/lab/timeline')).body, before.body);
  });
});

describe('a plan and its run', () => {
  test('are told in short: who sends how much, and when', async () => {
    const request = { sensors: ['s1', 's2'], rule: { by: 'lane' }, speed: '2', loops: 2 };
    const made = await api.ask(
      '/v1/plans?answer=summary',
      sending('POST', { plan: 'short', set: 'lab', request }),
    );
    const summary = made.body as PlanSummary;
    assert.equal(made.status, 201, made.message);
    assert.deepEqual(
      { ...summary, sensors: summary.sensors.map(({ sensor }) => sensor) },
      { plan: 'short', set: 'lab', loops: 2, length: '4980000000', byFlow: false, sensors: ['s1', 's2'] },
    );
    assert.equal(sum(summary.sensors.map(({ packets }) => packets)), 400);
    const { body } = await api.ask('/v1/runs', sending('POST', { plan: 'short' }));
    const { run } = body as { run: string };
    const course = (await api.ask(`/v1/runs/${run}/course`)).body as RunCourse;
    assert.equal(sum(course.planned?.sensors.map(({ packetsOver }) => sum(packetsOver))), 400);
    assert.deepEqual(course.sensors, []);

    const { store } = api.world;
    const view = (await store.view(run)) ?? ((await api.ask(`/v1/runs/${run}`)).body as { view: never }).view;
    const progress = {
      sent: 7,
      sentBytes: 700,
      refused: 0,
      position: '1000000000',
      loops: 0,
      lateness: null,
    };
    await store.show({ ...view, sensors: view.sensors.map((each) => ({ ...each, progress })) });
    const later = (await api.ask(`/v1/runs/${run}/course`)).body as RunCourse;
    assert.deepEqual(later.sensors, [
      { sensor: 's1', points: [[1e9, 7]] },
      { sensor: 's2', points: [[1e9, 7]] },
    ]);
    assert.equal((await api.ask('/v1/runs/gone/course')).code, 'run-unknown');
  });
});

describe('the pages of the queues', () => {
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${api.url}${path}`, { headers, redirect: 'manual' });

  test('are opened by a session, which is good for nothing else', async () => {
    const opened = await api.ask('/v1/session', { method: 'POST' });
    assert.equal(opened.status, 201, opened.message);
    const [cookie = '', ...attributes] = (opened.headers.get('set-cookie') ?? '').split('; ');
    assert.deepEqual(attributes.sort(), ['HttpOnly', 'Max-Age=900', 'Path=/queues', 'SameSite=Strict']);
    const page = await ask('/queues/', { cookie });
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Capfleet queues/);
    const queues = await ask('/queues/api/queues', { cookie });
    assert.match(await queues.text(), /"name":"map".*"readOnlyMode":true/);
    assert.equal((await ask('/v1/sets', { cookie })).status, 401);
  });

  test('are closed without one, and to one that is made up or over', async () => {
    assert.equal((await ask('/queues/api/queues')).status, 401);
    const page = await ask('/queues/', { accept: 'text/html' });
    assert.deepEqual([page.status, page.headers.get('location')], [303, '/']);
    const opened = await api.ask('/v1/session', { method: 'POST' });
    const [, expires = '', proof = ''] = /=(\d+)\.([^;]+)/.exec(opened.headers.get('set-cookie') ?? '') ?? [];
    for (const value of [
      `${String(Number(expires) + 1)}.${proof}`,
      `1.${proof}`,
      `${expires}.`,
      `${expires}.${proof.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`,
      '',
    ])
      assert.equal((await ask('/queues/api/queues', { cookie: `capfleet-queues=${value}` })).status, 401);
    // Not even by the token: it is sent by scripts, and they have the API.
    assert.equal((await api.ask('/queues/api/queues')).status, 401);
  });

  test('let nothing be changed', async () => {
    const opened = await api.ask('/v1/session', { method: 'POST' });
    const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split('; ');
    const answer = await fetch(`${api.url}/queues/api/queues/map/pause`, {
      method: 'PUT',
      headers: { cookie },
    });
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
    const emptied = await fetch(`${api.url}/queues/api/queues/map/empty`, {
      method: 'PUT',
      headers: { cookie },
    });
    assert.ok(emptied.status >= 400 && emptied.status < 500, String(emptied.status));
  });
});

describe('answers', () => {
  test('have a policy that lets a page run its own scripts alone', async () => {
    const { headers } = await api.ask('/healthz');
    const policy = headers.get('content-security-policy') ?? '';
    for (const directive of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "style-src 'self'",
    ])
      assert.ok(policy.split(';').includes(directive), policy);
    assert.doesNotMatch(policy, /unsafe/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  });

  test('do not tell one wrong token from another for long, and take the right one all the same', async () => {
    const own = await startApi(cleanUp, redis.url);
    const wrong = { headers: { authorization: 'Bearer another-token-0123456789' } };
    const codes: string[] = [];
    for (let index = 0; index < 22; index += 1) codes.push((await own.ask('/v1/sets', wrong)).code);
    assert.deepEqual(
      [codes[0], codes[19], codes[20], codes[21]],
      ['token-refused', 'token-refused', 'token-tries', 'token-tries'],
    );
    assert.equal((await own.ask('/v1/sets')).status, 200);
  });
});
