// The live page in a browser, from signing in to the report of a run: a real coordinator, mapper and agents over a real
// Redis. UPDATE_DOCS=1 writes the screenshots of docs/page.md anew.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { noBrowser, startBrowser } from '../support/browser.ts';
import { lastFirst } from '../support/last-first.ts';
import { stamps, writeNumberedSet, type SetShape } from '../support/numbered-set.ts';
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
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const DESKTOP = { width: 1280, height: 900 };

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
        startReplayer(cleanUp, redis.url, name, ['--interface', `file:${join(dir, `${name}.pcap`)}`]),
      ),
    ]);
  });

  async function open(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context: BrowserContext = await browser.newContext({ viewport: DESKTOP, ...options });
    cleanUp.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 401/.test(message.text()))
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

  async function shoot(page: Page, name: string, fullPage = false): Promise<void> {
    if (process.env['UPDATE_DOCS'] !== '1') return;
    await mkdir(IMAGES, { recursive: true });
    await page.screenshot({ path: join(IMAGES, `page-${name}.png`), fullPage });
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
      `${await readFile(AXE, 'utf8')};
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
    await shoot(page, 'sign-in');
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
    await shoot(page, 'mapping');
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
    await shoot(page, 'set', true);
  });
});
