/** A headless Chromium of the distribution. Where there is none, tests say so and skip. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import type { AfterHook } from './temp-dir.ts';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const found = PLACES.find((path) => existsSync(path));

/** Another name for 127.0.0.1 in that browser: over plain HTTP no secure context, as it is from another host. */
export const ELSEWHERE = 'capfleet.test';

/** Why there is no browser; false: there is one. */
export const noBrowser: string | false =
  found === undefined ? 'SKIPPED: no Chromium on this machine (apt-get install chromium)' : false;

export async function startBrowser(t: AfterHook): Promise<Browser> {
  const args = ['--no-sandbox', `--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`];
  const browser = await chromium.launch({ executablePath: found ?? '', args });
  t.after(() => browser.close());
  return browser;
}
