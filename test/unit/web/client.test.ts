// What the page says where the coordinator does not answer: that depends on what was asked.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { apiClient, type Client } from '../../../services/web/src/api/client.ts';

function clientOver(t: TestContext, answer: (signal: AbortSignal) => Promise<Response>): Client {
  t.mock.method(globalThis, 'fetch', (_path: string, { signal }: { signal: AbortSignal }) => answer(signal));
  return apiClient('token', () => undefined);
}

const broken = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'));

describe('a request without an answer', () => {
  test('that does something may have done it: the hint says what to do then', async (t) => {
    const client = clientOver(t, broken);
    await assert.rejects(client.post('runs', {}, 'look under Runs'), {
      status: 0,
      message: 'the coordinator does not answer',
      hint: 'look under Runs',
    });
  });

  test('is not said to be repeated', async (t) => {
    const client = clientOver(t, broken);
    await assert.rejects(client.get('sets/lab/timeline'), { status: 0, hint: '' });
  });

  test('is given up after a while', async (t) => {
    const client = clientOver(
      t,
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        }),
    );
    const stop = client.post('runs/1/stop', null, 'stop it again', { withinMs: 50 });
    await assert.rejects(stop, {
      message: 'the coordinator did not answer within 0.05 s',
      hint: 'stop it again',
    });
  });

  test('is in doubt also where the connection breaks within the answer, or a proxy answers', async (t) => {
    const half = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('{"ru'));
        controller.error(new TypeError('terminated'));
      },
    });
    const answers = [new Response(half), new Response('Bad Gateway', { status: 502 })];
    const client = clientOver(t, async () => answers.shift() ?? Response.error());
    await assert.rejects(client.post('runs', {}, 'look'), { status: 0, hint: 'look' });
    await assert.rejects(client.post('runs', {}, 'look'), { status: 502, hint: 'look' });
  });
});

test('what the coordinator refuses keeps its own hint', async (t) => {
  const error = { code: 'plan-unknown', message: 'no plan', hint: '' };
  const away = { ...error, hint: 'start Redis' };
  const answers = [
    Response.json({ error }, { status: 404 }),
    Response.json({ error: away }, { status: 503 }),
  ];
  const client = clientOver(t, async () => answers.shift() ?? Response.error());
  await assert.rejects(client.post('runs', {}, 'look'), { status: 404, message: 'no plan', hint: '' });
  await assert.rejects(client.post('runs', {}, 'look'), { status: 503, hint: 'start Redis' });
});
