// What the coordinator's API refuses, and how: in this process, over a real Redis and a real socket.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  runCourseKey,
  runKey,
  runPlannedKey,
  runReportKey,
  runsKey,
  runViewKey,
} from '@capfleet/shared/contract/keys';
import { planDocument } from '@capfleet/shared/dataset/plan-file';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { sending, startApi, type CoordinatorApi } from '../support/coordinator-api.ts';
import { lastFirst } from '../support/last-first.ts';
import { sensorPlan } from '../support/play-results.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { TOKEN } from '../support/start-capfleet.ts';

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let api: CoordinatorApi;
before(async () => {
  redis = await startRedis(cleanUp);
  api = await startApi(cleanUp, redis.url);
});

const plan = planDocument([sensorPlan('a'), sensorPlan('b')], 'map.json');

function planOf(set: string, request: object = {}): object {
  return { plan: 'x', set, request: { sensors: ['a'], ...request } };
}

describe('the API refuses', () => {
  for (const [what, authorization] of [
    ['no token', ''],
    ['a wrong token', `Bearer ${TOKEN}x`],
    ['a part of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['another scheme', `Basic ${TOKEN}`],
  ] as const) {
    test(what, async () => {
      const { status, code, headers } = await api.ask('/v1/sensors', { headers: { authorization } });
      assert.deepEqual([status, code], [401, 'token-refused']);
      assert.equal(headers.get('www-authenticate'), 'Bearer');
    });
  }

  const requests: [
    what: string,
    path: string,
    init: RequestInit,
    status: number,
    code: string,
    said: RegExp,
  ][] = [
    ['a body that is no JSON', '/v1/runs', sending('POST', '{"plan":'), 400, 'request-invalid', /JSON/],
    [
      'a body of another type',
      '/v1/runs',
      sending('POST', 'plan', 'text/plain'),
      415,
      'content-type-unknown',
      /text\/plain/,
    ],
    ['a body without its plan', '/v1/runs', sending('POST', {}), 400, 'request-invalid', /body\/plan/],
    [
      'a plan with what a plan has not',
      '/v1/runs',
      sending('POST', { plan: { ...plan, capfleetPlan: 2 } }),
      400,
      'request-invalid',
      /body\/plan\/capfleetPlan/,
    ],
    ['no body', '/v1/runs', { method: 'POST' }, 400, 'request-invalid', /body/],
    [
      'what it does not know',
      '/v1/runs',
      sending('POST', { plan, settings: { lead: '1s', speed: 2 } }),
      400,
      'request-invalid',
      /body\/settings.*speed/,
    ],
    [
      'a lead that is too short',
      '/v1/runs',
      sending('POST', { plan, settings: { lead: '1ms' } }),
      400,
      'request-invalid',
      /lead.*"1ms" is too short/,
    ],
    [
      'an instant that is none',
      '/v1/runs',
      sending('POST', { plan, settings: { startAt: 'tomorrow' } }),
      400,
      'request-invalid',
      /"tomorrow" is no time/,
    ],
    [
      'a start that is past',
      '/v1/runs',
      sending('POST', {
        plan: planDocument([sensorPlan('a')], 'map.json'),
        settings: { startAt: '2024-01-01T00:00:00Z' },
      }),
      422,
      'start-past',
      /2024-01-01T00:00:00/,
    ],
    [
      'a plan for one sensor twice',
      '/v1/runs',
      sending('POST', { plan: planDocument([sensorPlan('a'), sensorPlan('a')], 'map.json') }),
      422,
      'plan-invalid',
      /sensor a is there twice/,
    ],
    ['a run that nobody keeps', '/v1/runs/nothing', {}, 404, 'run-unknown', /nothing/],
    ['the events of such a run', '/v1/runs/nothing/events', {}, 404, 'run-unknown', /nothing/],
    ['to stop such a run', '/v1/runs/nothing/stop', { method: 'POST' }, 404, 'run-unknown', /nothing/],
    ['a path in the place of a run', '/v1/runs/..%2f..%2fetc', {}, 400, 'request-invalid', /params\/run/],
    ['a run of too many letters', `/v1/runs/${'x'.repeat(90)}`, {}, 400, 'request-invalid', /params\/run/],
    ['a path that is no path', '/v1/%zz', {}, 400, 'request-invalid', /%zz/],
    ['a route that is not there', '/v1/nothing', {}, 404, 'route-unknown', /\/v1\/nothing/],
    [
      'a method that a route does not take',
      '/v1/sensors',
      { method: 'DELETE' },
      405,
      'method-unknown',
      /DELETE/,
    ],
    [
      'a set under a name that is a path',
      '/v1/sets/..%2fx',
      sending('PUT', '{}'),
      400,
      'request-invalid',
      /set/,
    ],
    [
      'a set that is no mapping',
      '/v1/sets/x',
      sending('PUT', '{"a":1}'),
      422,
      'dump-invalid',
      /x is not a map/,
    ],
    ...(
      ['..%2f..%2fetc', 'a%0ab', '%1b%5b31m', '%c2%9b31m', '%00', '__proto__%2fx', '%e2%80%ae'] as const
    ).flatMap((name): typeof requests => [
      [
        `a set called ${name}`,
        `/v1/sets/${name}`,
        sending('PUT', '{}'),
        400,
        'request-invalid',
        /params\/set/,
      ],
      [`a plan called ${name}`, `/v1/plans/${name}`, {}, 400, 'request-invalid', /params\/plan/],
      [`a run called ${name}`, `/v1/runs/${name}`, {}, 400, 'request-invalid', /params\/run/],
      [`a mapping called ${name}`, `/v1/maps/${name}`, {}, 400, 'request-invalid', /params\/map/],
    ]),
    ...['../x', 'a/b', 'a\nb', '\u001b[31m', '\u009b31m', ''].map((sensor): (typeof requests)[number] => [
      `a sensor called ${JSON.stringify(sensor)}`,
      '/v1/plans',
      sending('POST', planOf('x', { sensors: [sensor] })),
      400,
      'request-invalid',
      /request\/sensors/,
    ]),
    [
      'a prototype in a body',
      '/v1/runs',
      sending('POST', `{"plan":"x","__proto__":{"polluted":true}}`),
      400,
      'request-invalid',
      /./,
    ],
    ['a set without a body', '/v1/sets/x', { method: 'PUT' }, 400, 'request-invalid', /a mapping is needed/],
    ['a set that nobody keeps', '/v1/sets/x', {}, 404, 'set-unknown', /no set x/],
    ['a plan of such a set', '/v1/plans', sending('POST', planOf('x')), 404, 'set-unknown', /no set x/],
    ['a plan that nobody keeps', '/v1/plans/x', { method: 'DELETE' }, 404, 'plan-unknown', /no plan x/],
    ['a run by such a plan', '/v1/runs', sending('POST', { plan: 'x' }), 404, 'plan-unknown', /no plan x/],
    [
      'a plan by a pattern that is none',
      '/v1/plans',
      sending('POST', planOf('x', { rule: { by: 'pattern', patterns: [{ sensor: 'a', pattern: '(' }] } })),
      400,
      'request-invalid',
      /missing closing \)/,
    ],
    ['a mapping that nobody keeps', '/v1/maps/x', {}, 404, 'map-unknown', /no mapping x/],
    [
      'to map a folder that depends on where it stands',
      '/v1/maps',
      sending('POST', { set: 'x', source: 'captures' }),
      400,
      'request-invalid',
      /body\/source: no absolute path/,
    ],
    [
      'a speed that is none',
      '/v1/plans',
      sending('POST', planOf('x', { speed: '1/0' })),
      400,
      'request-invalid',
      /speed: "1\/0" is no positive ratio/,
    ],
    ['a list without end', '/v1/runs?limit=100000', {}, 400, 'request-invalid', /limit/],
  ];
  for (const [what, path, init, status, code, said] of requests) {
    test(what, async () => {
      const answer = await api.ask(path, init);
      assert.deepEqual([answer.status, answer.code], [status, code], answer.message);
      assert.match(answer.message, said);
    });
  }

  test('a body that is too large, before it is read', async () => {
    const much = { much: 'x'.repeat(1024 ** 2) };
    const { status, code } = await api.ask('/v1/runs/x/stop', sending('POST', much));
    assert.deepEqual([status, code], [413, 'request-too-large']);
  });

  test('no list for a record in it that nobody can read', async () => {
    const { store } = api.world;
    const one = planDocument([sensorPlan('a')], 'map.json');
    const { body, message } = await api.ask('/v1/runs', sending('POST', { plan: one }));
    assert.equal(message, '');
    const { run } = body as { run: string };
    const { record } = await store.load(run);
    for (const created of ['9'.repeat(25), `-${'9'.repeat(25)}`])
      await store.keep({ record: { ...record, run: `at${created}`, created }, plans: [] });
    const { status, body: listed } = await api.ask('/v1/runs');
    const { runs } = listed as { runs: { run: string }[] };
    assert.deepEqual([status, runs.map((each) => each.run)], [200, [run]]);
    assert.equal((await api.ask(`/v1/runs/at${'9'.repeat(25)}`)).code, 'run-unknown');
  });

  test('everything but the health while Redis is gone, soon', async () => {
    assert.deepEqual(await (await fetch(`${api.url}/healthz`)).json(), { version: '1', redis: true });
    await redis.stop();
    const [sensors, health] = await Promise.all([api.ask('/v1/sensors'), fetch(`${api.url}/healthz`)]);
    assert.deepEqual([sensors.status, sensors.code], [503, 'redis-unreachable']);
    assert.deepEqual([health.status, await health.json()], [503, { version: '1', redis: false }]);
    await redis.start();
  });
});

test('a run that is asked for again under its id is made once, and refused where it is asked for otherwise', async () => {
  const run = '3f6c2c1e-6a0e-4f0c-9f5e-0d9d7c1f2a34';
  const body = { run, plan: planDocument([sensorPlan('a')], 'map.json'), settings: { sensorTimeout: '1s' } };
  const ask = async (settings: object): Promise<unknown[]> => {
    const { status, code } = await api.ask('/v1/runs', sending('POST', { ...body, settings }));
    return [status, code];
  };
  const together = await Promise.all(Array.from({ length: 8 }, () => ask(body.settings)));
  assert.deepEqual(
    together.map(([status]) => Number(status)).sort(),
    [200, 200, 200, 200, 200, 200, 200, 201],
  );
  assert.equal((await ask(body.settings))[0], 200);
  assert.deepEqual(await ask({ sensorTimeout: '2s' }), [409, 'run-conflict']);
});

test('a run whose id is taken by what nobody can read is refused, and asking for it fails nothing else', async (t) => {
  const client = connect(redis.url, 'test', silentLogger());
  t.after(() => {
    client.disconnect();
  });
  const one = planDocument([sensorPlan('a')], 'map.json');
  const ask = async (path: string, init?: RequestInit): Promise<unknown[]> => {
    const { status, code } = await api.ask(`/v1/runs${path}`, init);
    return [status, code];
  };
  await client.set(runKey('garbage'), '{"run":');
  await client.rpush(runKey('list'), 'x');
  for (const run of ['garbage', 'list']) {
    await client.zadd(runsKey, Date.now(), run);
    assert.deepEqual(await ask('', sending('POST', { run, plan: one })), [409, 'run-conflict']);
    assert.deepEqual(await ask(`/${run}`), [404, 'run-unknown']);
  }
  assert.deepEqual(await ask(''), [200, '']);

  assert.deepEqual(await ask('', sending('POST', { run: 'odd', plan: one })), [201, '']);
  for (const key of [runViewKey, runReportKey, runCourseKey, runPlannedKey]) {
    await client.del(key('odd'));
    await client.rpush(key('odd'), 'x');
  }
  assert.deepEqual(await ask('/odd'), [200, '']);
  assert.deepEqual(await ask('/odd/report'), [409, 'run-open']);
  assert.deepEqual(await ask('/odd/course'), [200, '']);
  assert.deepEqual(await ask('/odd/stop', { method: 'POST' }), [202, '']);
});

test('who follows a run while Redis is gone is let go, and told why when it asks again', async () => {
  const one = planDocument([sensorPlan('a')], 'map.json');
  const { body, message } = await api.ask('/v1/runs', sending('POST', { plan: one }));
  assert.equal(message, '');
  const { run } = body as { run: string };
  const path = `/v1/runs/${run}/events`;
  const headers = { authorization: `Bearer ${TOKEN}` };
  const events = await fetch(`${api.url}${path}`, { headers, signal: AbortSignal.timeout(20_000) });
  const told = events.text();
  // One state, then nothing new.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await redis.kill();
  assert.match(await told, /^retry: \d+\n\nevent: state\n.*\n\n$/);
  assert.equal((await api.ask(path)).code, 'redis-unreachable');
  await redis.start();
});
