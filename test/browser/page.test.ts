// The live page in a browser, from signing in to the report of a run: a real coordinator, mapper and agents over a real
// Redis. UPDATE_DOCS=1 writes the screenshots of docs/page.md anew.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import axe from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import type { RunReport } from '@capfleet/shared/contract/report';
import { noBrowser, startBrowser } from '../support/browser.ts';
import { lastFirst } from '../support/last-first.ts';
import { numbersIn, stamps, writeNumberedSet, type SetShape } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import {
  startCoordinator,
  startMapper,
  startReplayer,
  TOKEN,
  type Running,
} from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';

const IMAGES = resolve(import.meta.dirname, '../../docs/images');
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** Three capture threads over eight seconds, one of which pauses; bursts of different rates. */
const shape: SetShape = {
  'a/0.pcap': stamps(0, 300, 10),
  'a/1.pcap': stamps(3000, 500, 10),
  'b/0.pcap': stamps(400, 500, 4),
  'b/1.pcap': stamps(4600, 600, 5),
  'c/0.pcap': stamps(1000, 700, 9),
};
const packets = Object.values(shape).reduce((sum, each) => sum + each.length, 0);

describe('the live page', { skip: noBrowser }, () => {
  const cleanUp = lastFirst({ after });
  let redis: RedisServer;
  let service: Running & { readonly url: string };
  let browser: Browser;
  let dir: string;
  /** What a page complained of: errors of scripts, and what its content security policy kept from it. */
  const complaints: string[] = [];

  before(async () => {
    dir = await tempDir(cleanUp);
    redis = await startRedis(cleanUp);
    await writeNumberedSet(join(dir, 'captures'), shape);
    [service, browser] = await Promise.all([
      startCoordinator(cleanUp, redis.url, { args: ['--root', dir] }),
      startBrowser(cleanUp),
      startMapper(cleanUp, redis.url),
      ...['east', 'west'].map((name) =>
        startReplayer(cleanUp, redis.url, name, ['--interface', `file:${name}.pcap`], { cwd: dir }),
      ),
    ]);
  });

  async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context: BrowserContext = await browser.newContext({ viewport: DESKTOP, ...options });
    cleanUp.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(40_000);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('status of 401'))
        complaints.push(message.text());
    });
    return page;
  }

  async function signIn(page: Page, hash = ''): Promise<void> {
    await page.goto(`${service.url}/${hash}`);
    await page.getByLabel('Token of the coordinator').fill(TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation').waitFor();
  }

  /** Charts are on the page once the library is. */
  async function drawn(page: Page): Promise<void> {
    await page.locator('.canvas[data-ready="true"] canvas').first().waitFor();
  }

  async function shoot(what: Page | Locator, name: string): Promise<void> {
    if (process.env['UPDATE_DOCS'] !== '1') return;
    await mkdir(IMAGES, { recursive: true });
    if ('goto' in what) await what.evaluate('scrollTo(0, 0)');
    await what.screenshot({ path: join(IMAGES, `page-${name}.png`) });
  }

  async function saved(page: Page, button: string): Promise<Buffer> {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: button }).click(),
    ]);
    return readFile(await download.path());
  }

  async function assertFits(page: Page): Promise<void> {
    const [content, window] = await page.evaluate<number[]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    assert.ok(content! <= window!, `${page.url()} is ${content} wide in ${window}`);
  }

  async function assertAccessible(page: Page): Promise<void> {
    // Past the page's own policy: by the debugger, not by a script element.
    const found = await page.evaluate<{ id: string; impact: string; nodes: string[] }[]>(
      `${axe.source};
      axe.run(document).then(({ violations }) => violations.map(({ id, impact, nodes }) =>
        ({ id, impact, nodes: nodes.map(({ html }) => html.slice(0, 200)) })))`,
    );
    assert.deepEqual(
      found.filter(({ impact }) => impact === 'serious' || impact === 'critical'),
      [],
      page.url(),
    );
  }

  test('asks for the token, and refuses another one', async () => {
    const page = await open();
    await page.goto(service.url);
    await page.getByLabel('Token of the coordinator').fill('not-the-token-at-all');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('not the token').waitFor();
    await assertAccessible(page);
    await signIn(page);
    await page.getByText('No set is kept').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token of the coordinator').waitFor();
    assert.equal(await page.evaluate('sessionStorage.length'), 0);
  });

  test('maps a source, and shows the set with its lanes', async () => {
    const page = await open();
    await signIn(page);
    await page.getByRole('button', { name: 'Map a source' }).click();
    await page.getByRole('textbox', { name: 'Source' }).fill(join(dir, 'captures'));
    await page.getByLabel('Becomes the set').fill('lab');
    await page.getByLabel('Only files that end with').fill('pcap');
    await assertAccessible(page);
    await page.getByRole('button', { name: 'Map', exact: true }).click();
    await page.getByRole('link', { name: 'Show the set lab' }).waitFor();
    await assertAccessible(page);
    await page.getByRole('link', { name: 'Show the set lab' }).click();
    await drawn(page);
    assert.match(await page.locator('.facts').innerText(), /Lanes\s+3/);
    assert.match(
      await page.locator('.facts').innerText(),
      new RegExp(`Packets\\s+${packets.toLocaleString('en')}`),
    );
    await page.getByText('As a table').click();
    const rows = page.getByRole('region', { name: 'Time line as a table' }).getByRole('row');
    assert.equal(await rows.count(), 4);
    await page.getByText('As a table').click();
    await assertAccessible(page);
    await assertFits(page);
    await shoot(page, 'set');
  });

  test('replays the set: confirmed, watched, reported, its plots saved', async () => {
    const page = await open();
    await signIn(page, '#/sets/lab');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('checkbox', { name: 'east' }).check();
    await page.getByRole('checkbox', { name: 'west' }).check();
    await page.getByLabel('Shared out').selectOption('lane');
    await assertAccessible(page);
    await page.getByRole('button', { name: 'Review' }).click();
    const confirm = page.getByRole('dialog', { name: 'Send these packets?' });
    await confirm.getByText('file:east.pcap').waitFor();
    assert.match(
      await confirm.innerText(),
      /The packets of lab go out .* within 7\.99 s, at speed 1, 2s after/,
    );
    await assertAccessible(page);
    await shoot(confirm, 'confirm');
    await confirm.getByRole('button', { name: 'Start replay' }).click();
    await page.getByRole('heading', { name: /^Run / }).waitFor();
    await page.getByText('The run is playing').waitFor({ state: 'attached' });
    await drawn(page);
    await page
      .locator('.facts')
      .getByText(/^[5-9] s|^[5-9]\.\d+ s/)
      .waitFor();
    const shown = Number(
      (await page.locator('.facts div', { hasText: 'Sent' }).first().innerText()).replaceAll(/\D/g, ''),
    );
    assert.ok(shown > 0 && shown < packets, String(shown));
    await assertAccessible(page);
    await assertFits(page);
    await shoot(page, 'run');
    await page.getByRole('heading', { name: 'What the verdict rests on' }).waitFor();
    await drawn(page);
    assert.match(
      await page.locator('.facts').innerText(),
      new RegExp(`Sent\\s+${packets.toLocaleString('en')}`),
    );
    const lateness = page
      .getByRole('figure')
      .filter({ has: page.getByRole('heading', { name: 'Lateness' }) });
    await lateness.getByText('As a table').click();
    assert.match(await lateness.getByRole('table').innerText(), /east\s+\d.*\n.*west/s);
    await lateness.getByText('As a table').click();
    await assertAccessible(page);
    await assertFits(page);
    await shoot(page, 'report');
    const svg = await saved(page, 'Save Lateness as SVG');
    assert.match(svg.toString(), /^<svg [^]*99\.9 %/);
    assert.match((await saved(page, 'Save Packet rate as SVG')).toString(), /planned/);
    const png = await saved(page, 'Save Packet rate as PNG');
    assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
    const report = JSON.parse((await saved(page, 'Save the report (JSON)')).toString()) as RunReport;
    assert.deepEqual([report.outcome, report.totals.sent], ['done', packets]);
    // What the report says was sent is what was sent.
    const sent = await Promise.all(
      ['east', 'west'].map(async (name) => numbersIn(await readFile(join(dir, `${name}.pcap`)))),
    );
    assert.deepEqual(
      sent.flat().sort((a, b) => a - b),
      Array.from({ length: packets }, (_, number) => number),
    );
    // The plan was the page's, and went with it.
    const plans = await fetch(`${service.url}/v1/plans`, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.deepEqual(await plans.json(), { plans: [] });
  });

  test('stops a run, once that is confirmed', async () => {
    const page = await open();
    await signIn(page, '#/runs');
    await page.getByRole('button', { name: 'Replay a set' }).click();
    await page.getByRole('combobox', { name: /^Set/ }).selectOption('lab');
    await page.getByRole('checkbox', { name: 'east' }).check();
    await page.getByLabel('Speed').fill('1/10');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('button', { name: 'Start replay' }).click();
    await page.getByText('The run is playing').waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    const confirm = page.getByRole('dialog', { name: 'Stop this run?' });
    await confirm.getByRole('button', { name: 'Cancel' }).click();
    await confirm.waitFor({ state: 'detached' });
    await page.getByText('The run is playing').waitFor({ state: 'attached' });
    // By the keyboard alone.
    await page.getByRole('button', { name: 'Stop', exact: true }).focus();
    await page.keyboard.press('Enter');
    await confirm.waitFor();
    await assertAccessible(page);
    await confirm.getByRole('button', { name: 'Stop run' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'What the verdict rests on' }).waitFor();
    assert.match(await page.locator('.facts').innerText(), /Outcome\s+stopped/);
    await page.getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('row', { name: /stopped/ }).waitFor();
  });

  test('says what the coordinator refuses, in its words', async () => {
    const page = await open();
    await signIn(page, '#/sets/lab');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('checkbox', { name: 'east' }).check();
    await page.getByLabel('Speed').fill('fast');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('alert').getByText('"fast" is no positive ratio').waitFor();
    await page.goto(`${service.url}/#/sets/gone`);
    await page.getByRole('alert').getByText('no set gone is kept').waitFor();
    complaints.splice(0, Infinity, ...complaints.filter((text) => !/status of 40[04]/.test(text)));
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`is readable on a telephone and on a desk, ${colorScheme}`, async () => {
      const page = await open({ viewport: PHONE, colorScheme, reducedMotion: 'reduce' });
      await signIn(page, '#/runs');
      const run = await page.getByRole('table').getByRole('link').last().getAttribute('href');
      for (const view of ['#/sets', '#/sets/lab', '#/maps', '#/sensors', '#/runs', run ?? '']) {
        await page.setViewportSize(PHONE);
        await page.goto(`${service.url}/${view}`);
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
    const page = await open();
    await page.goto(`${service.url}/queues/`);
    // Without a session it is the page that signs in.
    await page.getByLabel('Token of the coordinator').waitFor();
    await signIn(page);
    await page.getByRole('link', { name: 'Queues' }).click();
    await page.getByText('replay-east').first().waitFor();
    await shoot(page, 'queues');
    // Its fonts are another host's, which it may not ask.
    complaints.splice(0, Infinity, ...complaints.filter((text) => !text.includes('fonts.googleapis.com')));
  });

  test('complained of nothing', () => {
    assert.deepEqual(complaints, []);
  });
});
