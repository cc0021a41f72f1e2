/** A page of the coordinator in a browser: signed in to, looked over, photographed for the docs (UPDATE_DOCS=1). */
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { TOKEN } from './start-capfleet.ts';
import type { AfterHook } from './temp-dir.ts';

const IMAGES = resolve(import.meta.dirname, '../../docs/images');
export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

export interface Visit {
  readonly browser: Browser;
  readonly url: string;
  /** What a page complained of: errors of scripts, and what its content security policy kept from it. */
  readonly complaints: string[];
  readonly cleanUp: AfterHook;
}

export async function open(
  { browser, complaints, cleanUp }: Visit,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ viewport: DESKTOP, ...options });
  cleanUp.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(40_000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A policy that browsers heed in secure contexts alone is none that the page needs.
    if (message.type() === 'error' && !/status of 401|Cross-Origin-Opener-Policy/.test(message.text()))
      complaints.push(message.text());
  });
  return page;
}

export async function signIn({ url }: Visit, page: Page, hash = ''): Promise<void> {
  await page.goto(`${url}/${hash}`);
  await page.getByLabel('Token of the coordinator').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation').waitFor();
}

/** Charts are on the page once the library is. */
export async function drawn(page: Page): Promise<void> {
  await page.locator('.canvas[data-ready="true"] canvas').first().waitFor();
}

export async function shoot(what: Page | Locator, name: string): Promise<void> {
  if (process.env['UPDATE_DOCS'] !== '1') return;
  await mkdir(IMAGES, { recursive: true });
  if ('goto' in what) await what.evaluate('scrollTo(0, 0)');
  await what.screenshot({ path: join(IMAGES, `page-${name}.png`) });
}

export async function saved(page: Page, button: string): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ]);
  return readFile(await download.path());
}

export async function assertFits(page: Page): Promise<void> {
  const [content, window] = await page.evaluate<number[]>(
    '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
  );
  assert.ok(content! <= window!, `${page.url()} is ${content} wide in ${window}`);
}

export async function assertAccessible(page: Page): Promise<void> {
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
