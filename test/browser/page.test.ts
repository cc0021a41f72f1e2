// The live page in a browser, from signing in to the report of a run: a real coordinator, mapper and agents over a real
// Redis. UPDATE_DOCS=1 writes the screenshots of docs/page.md anew.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { RunReport } from '@capfleet/shared/contract/report';
import { ELSEWHERE, noBrowser, startBrowser } from '../support/browser.ts';
import { lastFirst } from '../support/last-first.ts';
import {
  assertAccessible,
  assertFits,
  DESKTOP,
  drawn,
  open,
  PHONE,
  saved,
  shoot,
  signIn,
  type Visit,
} from '../support/live-page.ts';
import { numbersIn, stamps, writeNumberedSet, type SetShape } from '../support/numbered-set.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { scrape } from '../support/scrape.ts';
import {
  startCoordinator,
  startMapper,
  startReplayer,
  TOKEN,
  type Running,
} from '../support/start-capfleet.ts';
import { tempDir } from '../support/temp-dir.ts';

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
  let visit: Visit;
  let dir: string;
  let coordinator: Running;
  let redis: RedisServer;
  const startService = async (listen: string): Promise<string> => {
    const started = await startCoordinator(cleanUp, redis.url, { listen, args: ['--root', dir] });
    coordinator = started;
    return started.url;
  };

  const kept = async <T>(what: string): Promise<T> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    return (await (await fetch(`${visit.url}/v1/${what}`, { headers })).json()) as T;
  };
  const expected = (complaint: RegExp): void => {
    const others = visit.complaints.filter((text) => !complaint.test(text));
    visit.complaints.splice(0, Infinity, ...others);
  };

  before(async () => {
    dir = await tempDir(cleanUp);
    redis = await startRedis(cleanUp);
    await writeNumberedSet(join(dir, 'captures'), shape);
    const [url, browser] = await Promise.all([
      startService('127.0.0.1:0'),
      startBrowser(cleanUp),
      startMapper(cleanUp, redis.url),
      ...['east', 'west'].map((name) =>
        startReplayer(cleanUp, redis.url, name, ['--interface', `file:${name}.pcap`], { cwd: dir }),
      ),
    ]);
    visit = { browser, url, complaints: [], cleanUp };
  });

  test('asks for the token, and refuses another one', async () => {
    const page = await open(visit);
    await page.goto(visit.url);
    await page.getByLabel('Token of the coordinator').fill('not-the-token-at-all');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('not the token').waitFor();
    await assertAccessible(page);
    await signIn(visit, page);
    await page.getByText('No set is kept').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token of the coordinator').waitFor();
    assert.equal(await page.evaluate('sessionStorage.length'), 0);
  });

  test('maps a source, and shows the set with its lanes', async () => {
    const page = await open(visit);
    await signIn(visit, page);
    await page.getByRole('button', { name: 'Map a source' }).click();
    await page.getByRole('textbox', { name: 'Source' }).fill(join(dir, 'captures'));
    await page.getByLabel('Becomes the set').fill('lab');
    await page.getByLabel('Only files that end with').fill('pcap');
    await assertAccessible(page);
    await page.getByRole('button', { name: 'Map', exact: true }).click();
    await page.getByRole('link', { name: 'Show the set lab' }).waitFor();
    // For as long as it takes to start mappers where none is there without work.
    const { maps } = await kept<{ maps: { record: { workerTimeoutMs: number } }[] }>('maps');
    assert.deepEqual(
      maps.map(({ record }) => record.workerTimeoutMs),
      [15 * 60_000],
    );
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
    const page = await open(visit);
    await signIn(visit, page, '#/sets/lab');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('checkbox', { name: 'east' }).check();
    await page.getByRole('checkbox', { name: 'west' }).check();
    await page.getByLabel('Shared out').selectOption('lane');
    await assertAccessible(page);
    // Until it is known where the packets go nothing can be started.
    const lookUp = Promise.withResolvers<undefined>();
    await page.route('**/v1/sensors', async (route) => lookUp.promise.then(() => route.continue()));
    const planned = page.waitForRequest('**/v1/plans?answer=summary');
    await page.getByRole('button', { name: 'Review' }).click();
    const { plan, keepFor } = (await planned).postDataJSON() as { plan: string; keepFor: string };
    const forgotten = page
      .waitForResponse(`**/v1/plans/${plan}`)
      .then((response) => [response.status(), keepFor]);
    const confirm = page.getByRole('dialog', { name: 'Send these packets?' });
    await confirm.getByRole('row', { name: 'east being looked up' }).waitFor();
    assert.ok(await confirm.getByRole('button', { name: 'Start replay' }).isDisabled());
    lookUp.resolve(undefined);
    await confirm.getByText('file:east.pcap').waitFor();
    await page.unroute('**/v1/sensors');
    assert.ok(await confirm.getByRole('button', { name: 'Start replay' }).isEnabled());
    assert.match(
      await confirm.innerText(),
      /The packets of lab go out .* within 7\.99 s, at speed 1, 2s after/,
    );
    await assertAccessible(page);
    await shoot(confirm, 'confirm');
    // The answer to the first start is lost; the second one finds the run.
    await page.route('**/v1/runs', async (route) => route.fetch().then(() => route.abort()), { times: 1 });
    await confirm.getByRole('button', { name: 'Start replay' }).click();
    await confirm.getByRole('alert').getByText('Whether the run began is not known.').waitFor();
    expected(/ERR_FAILED/);
    await confirm.getByRole('button', { name: 'Start replay' }).click();
    await page.getByRole('heading', { name: /^Run / }).waitFor();
    assert.equal((await kept<{ runs: unknown[] }>('runs')).runs.length, 1);
    await page.getByText('The run is playing').waitFor({ state: 'attached' });
    await drawn(page);
    await page
      .locator('.facts')
      .getByText(/^[5-9] s|^[5-9]\.\d+ s/)
      .waitFor();
    // At once: it is over soon.
    await shoot(page, 'run');
    const shown = Number(
      (await page.locator('.facts div', { hasText: 'Sent' }).first().innerText()).replaceAll(/\D/g, ''),
    );
    assert.ok(shown > 0 && shown < packets, String(shown));
    const late = page.getByRole('table').getByRole('columnheader', { name: /^Late, / });
    assert.deepEqual(await late.allInnerTexts(), ['Late, median', 'Late, 99 %', 'Late, worst']);
    const east = page.getByRole('row', { name: /^east/ }).getByRole('cell');
    for (const cell of (await east.allInnerTexts()).slice(-3)) assert.match(cell, /^[\d.]+ (ns|µs|ms)$/);
    await assertAccessible(page);
    await assertFits(page);
    await page.getByRole('heading', { name: 'What the verdict rests on' }).waitFor();
    await drawn(page);
    const told = await scrape(visit.url);
    assert.ok((told.get('capfleet_run_start_skew_bound_seconds') ?? 0) > 0);
    assert.ok((told.get('capfleet_run_start_skew_seconds') ?? 1) < 1);
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
    // The plan was the page's, and went with it; it would have gone by itself.
    assert.deepEqual(await forgotten, [204, '1h']);
  });

  test('stops a run, once that is confirmed; over plain HTTP from another host', async () => {
    const page = await open(visit);
    await signIn({ ...visit, url: visit.url.replace('127.0.0.1', ELSEWHERE) }, page, '#/runs');
    assert.equal(await page.evaluate('isSecureContext'), false);
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
    await page.setViewportSize(PHONE);
    await assertFits(page);
    await page.setViewportSize(DESKTOP);
    // While the coordinator is away the run is not shown as if it were watched.
    coordinator.signal('SIGKILL');
    await page
      .getByRole('status')
      .getByText(/^Not current since 20.* it is asked again\.$/)
      .waitFor();
    assert.equal(await page.getByText('The run is playing').count(), 0);
    await assertAccessible(page);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await confirm.getByRole('button', { name: 'Stop run' }).click();
    await confirm.getByRole('alert').getByText('Whether that was heard is not known.').waitFor();
    await confirm.getByRole('button', { name: 'Cancel' }).click();
    await startService(new URL(visit.url).host);
    await page.getByText('The run is playing').waitFor({ state: 'attached' });
    await page.getByText('Not current').first().waitFor({ state: 'detached' });
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
    await page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor();
    await page.getByRole('row', { name: /stopped/ }).waitFor();
    expected(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING/);
  });

  test('says what the coordinator refuses, in its words', async () => {
    const page = await open(visit);
    await signIn(visit, page, '#/sets/lab');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByRole('checkbox', { name: 'east' }).check();
    await page.getByLabel('Speed').fill('fast');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByRole('alert').getByText('"fast" is no positive ratio').waitFor();
    await page.goto(`${visit.url}/#/sets/gone`);
    await page.getByRole('alert').getByText('no set gone is kept').waitFor();
    expected(/status of 40[04]/);
  });

  test('complained of nothing', () => {
    assert.deepEqual(visit.complaints, []);
  });
});
