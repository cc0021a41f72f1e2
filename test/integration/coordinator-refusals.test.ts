// What the coordinator's API refuses, and how: in this process, over a real Redis and a real socket.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { redisHealth } from '@capfleet/coordinator/adapters/redis-health';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { buildApi } from '@capfleet/coordinator/http/build-api';
import { planDocument } from '@capfleet/shared/dataset/plan-file';
import { silentLogger } from '@capfleet/shared/log/logger';
import { lastFirst } from '../support/last-first.ts';
import { sensorPlan } from '../support/play-results.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { TOKEN } from '../support/start-capfleet.ts';

const cleanUp = lastFirst({ after });
let redis: RedisServer;
let url: string;
before(async () => {
  redis = await startRedis(cleanUp);
  const log = silentLogger();
  const world = redisRunWorld(redis.url, log);
  const health = redisHealth(redis.url, log);
  cleanUp.after(async () => {
    health.close();
    await world.close();
  });
  const keeper = { take: () => undefined };
  const closing = new AbortController().signal;
  const app = await buildApi({ ...world, keeper, health, closing, token: TOKEN, version: '1', log });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  cleanUp.after(() => app.close());
});

interface Answer {
  status: number;
  headers: Headers;
  code: string;
  message: string;
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  const { code = '', message = '' } = await refusalOf(response);
  return { status: response.status, headers: response.headers, code, message };
}

async function refusalOf(response: Response): Promise<Partial<Record<string, string>>> {
  const { error = {} } = (await response.json()) as { error?: Record<string, string> };
  return error;
}

function post(body: unknown, type = 'application/json'): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

const plan = planDocument([sensorPlan('a'), sensorPlan('b')], 'map.json');

describe('the API refuses', () => {
  for (const [what, authorization] of [
    ['no token', ''],
    ['a wrong token', `Bearer ${TOKEN}x`],
    ['a part of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['another scheme', `Basic ${TOKEN}`],
  ] as const) {
    test(what, async () => {
      const { status, code, headers } = await ask('/v1/sensors', { headers: { authorization } });
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
    ['a body that is no JSON', '/v1/runs', post('{"plan":'), 400, 'request-invalid', /JSON/],
    [
      'a body of another type',
      '/v1/runs',
      post('plan', 'text/plain'),
      415,
      'content-type-unknown',
      /text\/plain/,
    ],
    ['a body without its plan', '/v1/runs', post({}), 400, 'request-invalid', /body\/plan/],
    ['no body', '/v1/runs', { method: 'POST' }, 400, 'request-invalid', /body/],
    [
      'what it does not know',
      '/v1/runs',
      post({ plan, settings: { lead: '1s', speed: 2 } }),
      400,
      'request-invalid',
      /body\/settings.*speed/,
    ],
    [
      'a lead that is too short',
      '/v1/runs',
      post({ plan, settings: { lead: '1ms' } }),
      400,
      'request-invalid',
      /lead.*"1ms" is too short/,
    ],
    [
      'an instant that is none',
      '/v1/runs',
      post({ plan, settings: { startAt: 'tomorrow' } }),
      400,
      'request-invalid',
      /"tomorrow" is no time/,
    ],
    [
      'a plan for one sensor twice',
      '/v1/runs',
      post({ plan: planDocument([sensorPlan('a'), sensorPlan('a')], 'map.json') }),
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
    ['a list without end', '/v1/runs?limit=100000', {}, 400, 'request-invalid', /limit/],
  ];
  for (const [what, path, init, status, code, said] of requests) {
    test(what, async () => {
      const answer = await ask(path, init);
      assert.deepEqual([answer.status, answer.code], [status, code], answer.message);
      assert.match(answer.message, said);
    });
  }

  test('a body that is too large, before it is read', async () => {
    const response = await fetch(`${url}/v1/runs/x/stop`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ much: 'x'.repeat(1024 ** 2) }),
    });
    assert.equal(response.status, 413);
    assert.equal((await refusalOf(response))['code'], 'request-too-large');
  });

  test('everything but the health while Redis is gone, soon', async () => {
    assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { version: '1', redis: true });
    await redis.stop();
    const [sensors, health] = await Promise.all([ask('/v1/sensors'), fetch(`${url}/healthz`)]);
    assert.deepEqual([sensors.status, sensors.code], [503, 'redis-unreachable']);
    assert.deepEqual([health.status, await health.json()], [503, { version: '1', redis: false }]);
    await redis.start();
  });
});
