// What a command makes of a coordinator that is none, or that breaks: over real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { coordinatorClient, type CoordinatorClient } from '@capfleet/cli/coordinator-client';

type Answer = (response: ServerResponse, asked: number) => void;

/** A server that answers every request in one way. */
async function clientOf(t: TestContext, answer: Answer): Promise<CoordinatorClient> {
  let asked = 0;
  const server = createServer((_request, response) => answer(response, asked++)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return coordinatorClient(`http://127.0.0.1:${port}`, 'token', { answerMs: 500, mostBytes: 100_000 });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const EVENTS = { 'content-type': 'text/event-stream' };
const unreachable = (message: RegExp) => ({ code: 'coordinator-unreachable', message });
const foreign = (message: RegExp) => ({ code: 'coordinator-answer', message });

/** Writes until nobody listens any more. */
function flood(response: ServerResponse, text: string): void {
  const more = (): void => {
    while (!response.destroyed && response.write(text));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

describe('a document', () => {
  for (const [what, answer, failure] of [
    [
      'that is cut off',
      (response: ServerResponse) => {
        response.writeHead(200, { ...JSON_TYPE, 'content-length': 1000 });
        response.write('{"sensors": [', () => response.destroy());
      },
      unreachable(/127\.0\.0\.1/),
    ],
    ['that never comes', () => undefined, unreachable(/no answer within 500 ms/)],
    [
      'that never ends',
      (response: ServerResponse) => {
        response.writeHead(200, JSON_TYPE);
        response.write('{"sensors": [');
      },
      unreachable(/no answer within 500 ms/),
    ],
    [
      'that is endless',
      (response: ServerResponse) => {
        response.writeHead(200, JSON_TYPE);
        flood(response, 'x'.repeat(10_000));
      },
      foreign(/it is too long/),
    ],
    [
      'that is a page',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end('<html>');
      },
      foreign(/of this version: Invalid input/),
    ],
    [
      'of a proxy',
      (response: ServerResponse) => {
        response.writeHead(502, { 'content-type': 'text/html' });
        response.end('<html>');
      },
      foreign(/status 502/),
    ],
  ] as const) {
    test(`${what} is told as it is`, async (t) => {
      const client = await clientOf(t, answer);
      await assert.rejects(client.sensors(), failure);
    });
  }

  test('of a mapping that is cut off is no bug', async (t) => {
    const client = await clientOf(t, (response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': 1000 });
      response.write('{"files": [', () => response.destroy());
    });
    const all = async (): Promise<string> => {
      let text = '';
      for await (const part of client.mapping('lab')) text += part;
      return text;
    };
    await assert.rejects(all(), unreachable(/127\.0\.0\.1/));
  });
});

describe('a stream of events', () => {
  const follow = async (client: CoordinatorClient, signal: AbortSignal): Promise<string[]> => {
    const lost: string[] = [];
    await assert.rejects(
      client.follow('run', { onView: () => undefined, onLost: ({ message }) => lost.push(message), signal }),
      /Error|stopped|coordinator/,
    );
    return lost;
  };

  test('that is none is refused at once', async (t) => {
    const client = await clientOf(t, (response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    const watching = {
      onView: () => undefined,
      onLost: () => undefined,
      signal: AbortSignal.timeout(10_000),
    };
    await assert.rejects(client.follow('run', watching), foreign(/no stream of events/));
  });

  test('with a line that does not end is refused', async (t) => {
    const client = await clientOf(t, (response) => {
      response.writeHead(200, EVENTS);
      flood(response, `data: ${'x'.repeat(10_000)}`);
    });
    const watching = {
      onView: () => undefined,
      onLost: () => undefined,
      signal: AbortSignal.timeout(10_000),
    };
    await assert.rejects(client.follow('run', watching), { code: 'coordinator-answer' });
  });

  test('that ends before the report is told of once, and asked for again', async (t) => {
    let asked = 0;
    const client = await clientOf(t, (response, number) => {
      asked = number + 1;
      response.writeHead(200, EVENTS);
      response.end('retry: 1000\n\n');
    });
    const lost = await follow(client, AbortSignal.timeout(1500));
    assert.deepEqual([lost.length, asked > 1], [1, true]);
    assert.match(lost[0] ?? '', /it ended the connection/);
  });
});
