// How the live page looks: on a desk and on a telephone, light and dark; and the pages of the queues behind it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { noBrowser, startBrowser } from '../support/browser.ts';
import { lastFirst } from '../support/last-first.ts';
import {
  assertAccessible,
  assertFits,
  DESKTOP,
  drawn,
  open,
  PHONE,
  shoot,
  signIn,
  type Visit,
} from '../support/live-page.ts';
import { stamps } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { makeMappedSet } from '../support/replay-cli.ts';
import { startCoordinator, startReplayer, TOKEN } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

describe('the look of the live page', { skip: noBrowser }, () => {
  const cleanUp = lastFirst({ after });
  let visit: Visit;

  before(async () => {
    const redis = await startRedis(cleanUp);
    const { dir, dump } = await makeMappedSet(cleanUp, {
      'a/0.pcap': stamps(0, 300, 10),
      'a/1.pcap': stamps(3000, 500, 10),
      'b/0.pcap': stamps(400, 500, 4),
      'b/1.pcap': stamps(4600, 600, 5),
      'c/0.pcap': stamps(1000, 700, 9),
    });
    const [{ url }, browser] = await Promise.all([
      startCoordinator(cleanUp, redis.url),
      startBrowser(cleanUp),
      ...['east', 'west'].map((name) =>
        startReplayer(cleanUp, redis.url, name, ['--interface', `file:${name}.pcap`], { cwd: dir }),
      ),
    ]);
    visit = { browser, url, complaints: [], cleanUp };
    const call = async (method: string, path: string, body?: string): Promise<Record<string, unknown>> => {
      const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
      const answer = await fetch(`${url}/v1/${path}`, {
        method,
        headers,
        ...(body !== undefined && { body }),
      });
      assert.ok(answer.ok, path);
      return (await answer.json()) as Record<string, unknown>;
    };
    await call('PUT', 'sets/lab', await readFile(dump, 'utf8'));
    const request = { sensors: ['east', 'west'], speed: '4' };
    await call('POST', 'plans', JSON.stringify({ plan: 'fast', set: 'lab', request }));
    const { run } = await call('POST', 'runs', JSON.stringify({ plan: 'fast' }));
    const isOver = async (): Promise<boolean> =>
      (await call('GET', `runs/${String(run)}`))['state'] === 'done';
    await waitFor('the run is over', isOver, { timeout: 40_000, every: 200 });
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`is readable on a telephone and on a desk, ${colorScheme}`, async () => {
      const page = await open(visit, { viewport: PHONE, colorScheme, reducedMotion: 'reduce' });
      await signIn(visit, page, '#/runs');
      const run = await page.getByRole('table').getByRole('link').last().getAttribute('href');
      for (const view of ['#/sets', '#/sets/lab', '#/maps', '#/sensors', '#/runs', run ?? '']) {
        await page.setViewportSize(PHONE);
        await page.goto(`${visit.url}/${view}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.getByText(/^Loading/).waitFor({ state: 'detached' });
        if (/lab|runs\/./.test(view)) await drawn(page);
        await assertFits(page);
        await assertAccessible(page);
        const name = view.startsWith('#/runs/') ? 'report' : view.split('/').at(-1);
        if (colorScheme === 'dark' && (name === 'lab' || name === 'report'))
          await shoot(page, `phone-${name}`);
        await page.setViewportSize(DESKTOP);
        await assertFits(page);
        if (colorScheme === 'dark' && name === 'sensors') await shoot(page, 'sensors-dark');
        if (colorScheme === 'dark' && name === 'lab') await shoot(page, 'set-dark');
      }
    });
  }

  test('leads to the queues, which are to be looked at only', async () => {
    const page = await open(visit);
    await page.goto(`${visit.url}/queues/`);
    // Without a session it is the page that signs in.
    await page.getByLabel('Token of the coordinator').waitFor();
    await signIn(visit, page);
    // Where no answer comes it is said.
    await page.route('**/v1/session', (route) => route.abort(), { times: 1 });
    await page.getByRole('link', { name: 'Queues' }).click();
    await page.getByRole('alert').getByText('The coordinator does not answer').waitFor();
    await page.getByRole('link', { name: 'Queues' }).click();
    await page.getByText('replay-east').first().waitFor();
    await shoot(page, 'queues');
    // Its fonts are another host's, which it may not ask.
    visit.complaints.splice(
      0,
      Infinity,
      ...visit.complaints.filter((text) => !/fonts\.googleapis\.com|ERR_FAILED/.test(text)),
    );
  });

  test('complained of nothing', () => {
    assert.deepEqual(visit.complaints, []);
  });
});
