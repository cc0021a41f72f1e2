// Sets and plans that the coordinator keeps, up to the run that plays one.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { sending, startApi, type Answer, type CoordinatorApi } from '../support/coordinator-api.ts';
import { lastFirst } from '../support/last-first.ts';
import { stamps } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet } from '../support/replay-cli.ts';
import { TOKEN } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

const cleanUp = lastFirst({ after });
let api: CoordinatorApi;
let mapping: string;
before(async () => {
  const redis = await startRedis(cleanUp);
  api = await startApi(cleanUp, redis.url);
  const { dump } = await makeMappedSet(cleanUp, {
    'a.pcap': stamps(0, 10, 20),
    'b.pcap': stamps(100, 10, 20),
  });
  mapping = await readFile(dump, 'utf8');
});

/** Announces a mapping, sends its first half and hangs up. */
async function breakOff(path: string): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const sent = request(`${api.url}${path}`, { method: 'PUT', headers });
  sent.on('error', () => undefined);
  const closed = new Promise((resolve) => sent.once('close', resolve));
  sent.write(mapping.slice(0, mapping.length / 2));
  await new Promise((resolve) => setTimeout(resolve, 50));
  sent.destroy();
  await closed;
}

describe('a set', () => {
  test('is kept as it was sent, listed, planned and played by name, and forgotten', async () => {
    const { status, body } = await api.ask('/v1/sets/lab', sending('PUT', mapping));
    const { kept, ...facts } = body as Record<string, unknown>;
    const expected = {
      set: 'lab',
      files: 2,
      packets: 20,
      beginning: '2023-11-14T22:13:20.000000000Z',
      end: '2023-11-14T22:13:20.280000000Z',
    };
    assert.deepEqual([status, facts], [200, expected]);
    assert.match(String(kept), /^20\d\d-/);
    await breakOff('/v1/sets/lab');
    assert.deepEqual((await api.ask('/v1/sets')).body, { sets: [body] });
    assert.deepEqual((await api.ask('/v1/sets/lab/mapping')).body, JSON.parse(mapping));

    const wanted = { sensors: ['s1', 's2'], rule: { by: 'size' }, speed: '2' };
    const made = await api.ask('/v1/plans', sending('POST', { plan: 'fast', set: 'lab', request: wanted }));
    assert.equal(made.status, 201, made.message);
    assert.equal(made.headers.get('location'), '/v1/plans/fast');
    assert.deepEqual((await api.ask('/v1/plans/fast')).body, made.body);
    const asked = await api.ask('/v1/runs', sending('POST', { plan: 'fast', settings: { rejoin: '1m' } }));
    assert.equal(asked.status, 201, asked.message);
    const { run } = asked.body as { run: string };
    const { plans, record } = await api.world.store.load(run);
    assert.deepEqual([record.sensors, record.rejoinMs, record.lead], [['s1', 's2'], 60_000, '1000000000']);
    assert.deepEqual(
      plans.map(({ timeline, files }) => [timeline.speed, files.length]),
      [
        ['2/1', 1],
        ['2/1', 1],
      ],
    );

    for (const path of ['/v1/plans/fast', '/v1/sets/lab']) {
      assert.equal((await api.ask(path, { method: 'DELETE' })).status, 204);
      assert.equal((await api.ask(path)).status, 404);
    }
    assert.deepEqual((await api.ask('/v1/plans')).body, { plans: [] });
  });
});

describe('a plan that is kept for a while', () => {
  const plan = async (name: string, keepFor?: string): Promise<Answer> => {
    const request = { sensors: ['s1'] };
    return api.ask('/v1/plans', sending('POST', { plan: name, set: 'lab', request, keepFor }));
  };
  const listed = async (): Promise<unknown> => {
    const { plans } = (await api.ask('/v1/plans')).body as { plans: { plan: string }[] };
    return plans.map((each) => each.plan);
  };

  test('is there until then, and nothing is left of it', async () => {
    assert.equal((await api.ask('/v1/sets/lab', sending('PUT', mapping))).status, 200);
    const made = await plan('brief', '1s');
    assert.equal(made.status, 201, made.message);
    assert.deepEqual(await listed(), []);
    const asked = await api.ask('/v1/runs', sending('POST', { plan: 'brief' }));
    assert.equal(asked.status, 201, asked.message);
    await waitFor('it is gone', async () => (await api.ask('/v1/plans/brief')).code === 'plan-unknown');
    // The run has a copy of its own.
    const { run } = asked.body as { run: string };
    assert.equal((await api.world.store.load(run)).plans.length, 1);
  });

  test('takes the place of one that is kept, and the other way round', async () => {
    await plan('other');
    assert.deepEqual(await listed(), ['other']);
    await plan('other', '1h');
    assert.deepEqual(await listed(), []);
    assert.equal((await api.ask('/v1/plans/other')).status, 200);
    await plan('other');
    assert.deepEqual(await listed(), ['other']);
    await plan('other', '1h');
    assert.equal((await api.ask('/v1/plans/other', { method: 'DELETE' })).status, 204);
    assert.equal((await api.ask('/v1/plans/other')).status, 404);
  });

  test('is so for a second to a week', async () => {
    for (const keepFor of ['999ms', '169h', 'ever']) assert.equal((await plan('odd', keepFor)).status, 400);
  });
});
