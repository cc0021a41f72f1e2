/** A headless Chromium of the distribution. Where there is none, tests say so and skip. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import type { AfterHook } from './temp-dir.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const found = PLACES.find((path) => existsSync(path));

/** Why there is no browser; false: there is one. */
export const noBrowser: string | false =
  found === undefined ? 'SKIPPED: no Chromium on this machine (apt-get install chromium)' : false;

export async function startBrowser(t: AfterHook): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: found ?? '', args: ['--no-sandbox'] });
  t.after(() => browser.close());
  return browser;
}
