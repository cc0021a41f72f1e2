// A command without --redis starts a Redis and services of its own. However the command ends, nothing of them is
// left: no process, no folder.
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { longCapture } from '../../support/long-capture.ts';
import { stamps, writeNumberedSet } from '../../support/numbered-set.ts';
import { hasTakenSignals, processesMentioning } from '../../support/processes.ts';
import { startCapfleet, type Running } from '../../support/start-capfleet.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

interface Place {
  /** What the command takes for the system's folder of temporary files; empty, and all its own. */
  readonly temporary: string;
  readonly captures: string;
  readonly dump: string;
}

async function makePlace(t: TestContext): Promise<Place> {
  const dir = await tempDir(t);
  const place = { temporary: join(dir, 'tmp'), captures: join(dir, 'in'), dump: join(dir, 'map.json') };
  await mkdir(place.temporary);
  // What a failing test finds left must not hold up the others, nor the runner.
  t.after(async () => {
    for (const { pid } of await processesMentioning(place.temporary)) process.kill(pid, 'SIGKILL');
  });
  await mkdir(place.captures);
  return place;
}

function startMap(t: TestContext, { temporary, captures, dump }: Place, ...args: string[]): Running {
  return startCapfleet(
    t,
    ['map', '--dir-src', captures, '--dump-json', dump, '--file-workers', '2', ...args],
    {
      env: { ...process.env, TMPDIR: temporary },
    },
  );
}

/** Starts to map a file that takes seconds, and resolves when Redis, its watcher and both mappers are there. */
async function inTheMiddle(t: TestContext): Promise<{ place: Place; map: Running }> {
  const place = await makePlace(t);
  await writeFile(join(place.captures, 'long.pcap.gz'), longCapture(250).file);
  const map = startMap(t, place, '--log-level', 'info');
  await waitFor('a mapper is ready', () => map.output.stderr.includes('mapper ready'), { timeout: 30_000 });
  const there = await processesMentioning(place.temporary);
  assert.equal(there.filter(({ command }) => command.startsWith('redis-server')).length, 1);
  assert.equal(there.filter(({ command }) => command.includes(' mapper ')).length, 2);
  return { place, map };
}

async function assertNothingLeft({ temporary }: Place, timeout = 10_000): Promise<void> {
  let left: unknown;
  await waitFor(
    'no process and no folder is left',
    async () => {
      left = [
        ...(await processesMentioning(temporary)).map(({ command }) => command),
        ...(await readdir(temporary)),
      ];
      return (left as unknown[]).length === 0;
    },
    { timeout },
  ).catch((error: unknown) => {
    throw new Error(`left: ${JSON.stringify(left, null, 1)}`, { cause: error });
  });
}

describe('nothing of the private Redis and its mappers is left', { concurrency: 2 }, () => {
  test('after a map that succeeded', async (t) => {
    const place = await makePlace(t);
    await writeNumberedSet(place.captures, { 'a.pcap.gz': stamps(0, 3, 10) });
    assert.equal((await startMap(t, place).ended).code, 0);
    await assertNothingLeft(place, 0);
  });

  test('after a map that failed', async (t) => {
    const place = await makePlace(t);
    assert.equal((await startMap(t, place).ended).code, 1);
    await assertNothingLeft(place, 0);
  });

  test('after Ctrl-C, which writes no dump and ends with 130', async (t) => {
    const { place, map } = await inTheMiddle(t);
    map.signal('SIGINT');
    const { code, stdout, stderr } = await map.ended;
    assert.deepEqual([code, stdout], [130, '']);
    assert.match(stderr, /capfleet: interrupted\n/);
    await assertNothingLeft(place, 0);
    assert.deepEqual(
      await readdir(join(place.dump, '..')),
      ['in', 'tmp'],
      'no dump, and no beginning of one',
    );
  });

  test('after a second Ctrl-C, which does not wait for the mappers', async (t) => {
    const { place, map } = await inTheMiddle(t);
    const mappers = (await processesMentioning(place.temporary)).filter(({ command }) =>
      command.includes(' mapper '),
    );
    for (const { pid } of mappers) process.kill(pid, 'SIGSTOP');
    map.signal('SIGINT');
    await waitFor('the first Ctrl-C is taken', () => hasTakenSignals(map.pid));
    const second = performance.now();
    map.signal('SIGINT');
    assert.equal((await map.ended).code, 130);
    assert.ok(performance.now() - second < 2000, 'it ended at once');
    for (const { pid } of mappers) process.kill(pid, 'SIGCONT');
    await assertNothingLeft(place);
  });

  test('after the command was killed by SIGKILL', async (t) => {
    const { place, map } = await inTheMiddle(t);
    map.signal('SIGKILL');
    assert.equal((await map.ended).signal, 'SIGKILL');
    await assertNothingLeft(place);
  });
});
