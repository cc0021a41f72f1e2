/**
 * `capfleet replay` as the tests of the command line use it: a mapped set of numbered packets, played with a short
 * lead, and its report held against itself and against what went out.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { addsUp, type RunReport } from '@capfleet/shared/contract/report';
import { runCapfleet, type Ended, type RunOptions } from './capfleet.ts';
import { mapHere } from './dump.ts';
import { makeMapPlace, type MapPlace } from './map-cli.ts';
import { numbersIn, type SetShape } from './numbered-set.ts';
import type { AfterHook } from './temp-dir.ts';

export const SHORT_LEAD = ['--lead', '500ms'];

/** Maps a set of numbered packets, whatever its files are called. */
export async function makeMappedSet(t: AfterHook, shape: SetShape): Promise<MapPlace> {
  const place = await makeMapPlace(t, shape);
  await mapHere(place.captures, place.dump);
  return place;
}

export async function runReplay(
  { dump }: Pick<MapPlace, 'dump'>,
  args: readonly string[],
  options?: RunOptions,
): Promise<Ended> {
  return runCapfleet(['replay', '--dump-json', dump, ...SHORT_LEAD, ...args], options);
}

/**
 * The report of a run that was played, held against itself: accounts that add up, and an exit code that says what
 * the verdict says. The verdict itself may fail on a busy machine, for the times alone.
 */
export function playedReport({ code, stdout, stderr }: Ended): RunReport {
  assert.ok(code === 0 || code === 4, `code ${code}\n${stdout}\n${stderr}`);
  const report = JSON.parse(stdout) as RunReport;
  assert.equal(report.outcome, 'done');
  assert.equal(code, report.verdict.holds ? 0 : 4);
  for (const { check, holds, text } of report.verdict.findings) {
    assert.ok(holds || /start error|end drift|start skew/.test(check), `${check}: ${text}`);
  }
  assertAccounts(report);
  return report;
}

export function assertAccounts({ sensors, totals }: RunReport): void {
  let [read, sent] = [0, 0];
  for (const { sensor, result } of sensors) {
    if (result === null) continue;
    assert.ok(addsUp(result.accounts), `${sensor}: ${JSON.stringify(result.accounts)}`);
    read += result.accounts.read;
    sent += result.accounts.sent;
  }
  assert.ok(addsUp(totals));
  assert.deepEqual([totals.read, totals.sent], [read, sent]);
}

/** Numbers of the packets of these files in the order of the timeline: by stamp, then file by file as mapped. */
export function timelineOf(
  shape: SetShape,
  numbers: Readonly<Record<string, readonly number[]>>,
  files: readonly string[] = Object.keys(shape),
): number[] {
  const sorted = files
    .map((name) => ({ name, stamps: shape[name] ?? [] }))
    .sort(
      (a, b) =>
        (a.stamps[0] ?? 0) - (b.stamps[0] ?? 0) ||
        (a.stamps.at(-1) ?? 0) - (b.stamps.at(-1) ?? 0) ||
        (a.name < b.name ? -1 : 1),
    );
  const packets = sorted.flatMap(({ name, stamps }) =>
    stamps.map((stamp, index) => ({ stamp, number: numbers[name]?.[index] ?? -1 })),
  );
  return packets.sort((a, b) => a.stamp - b.stamp).map(({ number }) => number);
}

/** Numbers of the packets in a capture, in its order. */
export async function numbersOf(path: string): Promise<number[]> {
  return numbersIn(await readFile(path));
}

/** The numbers that `writeNumberedSet` gives for a shape. */
export function numberingOf(shape: SetShape): Record<string, number[]> {
  let number = 0;
  return Object.fromEntries(
    Object.entries(shape).map(([name, stamps]) => [name, stamps.map(() => number++)]),
  );
}
