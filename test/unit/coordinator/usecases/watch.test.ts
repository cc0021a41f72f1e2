// How something that changes is told to who watches it: at the reader's own pace, always the whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watch, type News, type Sight } from '@capfleet/coordinator/usecases/watch';

const NEVER = { quietMs: 1_000_000, blindMs: 1_000_000 };

function state(n: number): Sight {
  return { event: 'state', data: { n }, isLast: false };
}

async function next(news: AsyncGenerator<News>): Promise<News | undefined> {
  const { value } = (await news.next()) as IteratorResult<News, undefined>;
  return value;
}

test('tells the present state at once, each change, and the end', async () => {
  let now = state(1);
  const news = watch(async () => now, NEVER, new AbortController().signal);
  assert.deepEqual(await next(news), state(1));
  const later = next(news);
  now = state(2);
  assert.deepEqual(await later, state(2));
  now = { ...state(3), event: 'end', isLast: true };
  assert.deepEqual(await next(news), now);
  assert.equal(await next(news), undefined);
});

test('keeps nothing for a reader who is slow, and does not look on while it is', async () => {
  let looks = 0;
  let now = 0;
  const look = async (): Promise<Sight> => {
    looks += 1;
    return state(now);
  };
  const news = watch(look, NEVER, new AbortController().signal);
  await next(news);
  for (now = 1; now < 1000; now += 1) await new Promise(setImmediate);
  assert.equal(looks, 1);
  assert.deepEqual(await next(news), state(1000));
});

test('says that it is still there while nothing changes', async () => {
  const news = watch(async () => state(1), { ...NEVER, quietMs: 1 }, new AbortController().signal);
  assert.deepEqual([await next(news), await next(news)], [state(1), 'quiet']);
});

test('ends with the signal, and with what cannot be looked at', async () => {
  const over = new AbortController();
  const news = watch(async () => state(1), NEVER, over.signal);
  await next(news);
  const last = next(news);
  over.abort();
  assert.equal(await last, undefined);
  const gone = watch(() => Promise.reject(new Error('gone')), NEVER, new AbortController().signal);
  await assert.rejects(next(gone), /gone/);
});

test('ends where nothing is to be seen, so that an old state is not taken for the present one', async () => {
  let isAway = false;
  const look = (): Promise<Sight> => (isAway ? new Promise(() => undefined) : Promise.resolve(state(1)));
  const news = watch(look, { quietMs: 1, blindMs: 20 }, new AbortController().signal);
  assert.deepEqual([await next(news), await next(news)], [state(1), 'quiet']);
  isAway = true;
  assert.equal(await next(news), undefined);
});

test('ends with the signal also while it looks', async () => {
  const over = new AbortController();
  const last = next(watch(() => new Promise(() => undefined), NEVER, over.signal));
  over.abort();
  assert.equal(await last, undefined);
});
