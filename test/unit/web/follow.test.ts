// How the page follows a run or a mapping: it tells while what it shows is not how things are now.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { follow, type Lost } from '../../../services/web/src/api/follow.ts';
import { Refused } from '../../../services/web/src/api/refused.ts';

const NEVER_MS = 1_000_000;
const STATE = 'retry: 1000\n\nevent: state\ndata: 1\n\n';
const END = 'event: report\ndata: 2\n\n';

type Answer = Refused | readonly (string | number)[];

/**
 * Asks until the last event.
 * @param answers one for each time it is asked: a refusal, or what is told, a number: ms of silence
 */
async function followed(answers: readonly Answer[], silenceMs = NEVER_MS): Promise<(string | Lost)[]> {
  const seen: (string | Lost)[] = [];
  const left = [...answers];
  const ask = (signal: AbortSignal): Promise<Response> => {
    const next = left.shift() ?? [];
    if (next instanceof Refused) return Promise.reject(next);
    const parts = async function* (): AsyncGenerator<Uint8Array> {
      for (const part of next) {
        if (typeof part === 'number') await sleep(part, undefined, { signal });
        else yield Buffer.from(part);
      }
    };
    return Promise.resolve(new Response(ReadableStream.from(parts())));
  };
  const follower = {
    onEvent: (event: string, data: unknown) => seen.push(`${event} ${String(data)}`),
    onLost: (lost: Lost | null) => seen.push(lost ?? 'found'),
    signal: new AbortController().signal,
  };
  await follow(ask, follower, { silenceMs, pauseMs: 1 });
  return seen;
}

/** The loss in words, and whether it is told since when. */
function told(seen: readonly (string | Lost)[]): unknown[] {
  return seen.map((each) =>
    typeof each === 'string' ? each : [each.reason.message, typeof each.since === 'number'],
  );
}

describe('who follows is told', { concurrency: true }, () => {
  test('nothing but what happens, while all is well', async () => {
    assert.deepEqual(await followed([[STATE, ': still there\n\n', END]]), ['state 1', 'report 2']);
  });

  test('that the connection ended, why it cannot be made again, and that it is there again', async () => {
    const away = new Refused(503, 'cannot reach Redis');
    const seen = await followed([[STATE], away, ['retry: 1000\n\n'], [STATE, END]]);
    assert.deepEqual(told(seen), [
      'state 1',
      ['the coordinator ended the connection', true],
      ['cannot reach Redis', true],
      // It answers, and has nothing to tell yet.
      ['the coordinator ended the connection', true],
      'found',
      'state 1',
      'report 2',
    ]);
    const losses = seen.filter((each) => typeof each !== 'string');
    assert.equal(new Set(losses.map(({ since }) => since)).size, 1, 'since it was lost first');
  });

  test('that it is silent, also where comments came before', async () => {
    const comments = Array.from({ length: 8 }, () => [50, ': still there\n\n']).flat();
    const seen = await followed([[STATE, ...comments, NEVER_MS], [END]], 200);
    assert.deepEqual(told(seen), ['state 1', ['the coordinator fell silent', true], 'found', 'report 2']);
  });

  test('that it was never heard', async () => {
    const seen = await followed([new Refused(0, 'the coordinator does not answer'), [END]]);
    assert.deepEqual(told(seen), [['the coordinator does not answer', false], 'found', 'report 2']);
  });

  test('that there is nothing to be followed', async () => {
    await assert.rejects(followed([new Refused(404, 'no run')]), { status: 404 });
  });
});
