// `capfleet map` a second time: what did not change is not read again, what was cut short goes on where it was, and
// in the end the dump is the one that a first map would write.
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { lastFirst } from '../support/last-first.ts';
import { makeMapPlace, readDumpFile, runMap, type MapPlace } from '../support/map-cli.ts';
import { stamps, writeNumberedSet } from '../support/numbered-set.ts';
import { startRedis } from '../support/redis-server.ts';
import { startCapfleet, startMapper } from '../support/start-capfleet.ts';
import { waitFor } from '../support/wait-for.ts';

interface Summary {
  files: number;
  reused: number;
  failed: { code: string }[];
}

interface Place extends MapPlace {
  /** Folder of the journals. */
  readonly state: string;
  map(...args: string[]): Promise<Summary>;
}

async function makePlace(t: TestContext, files = 5): Promise<Place> {
  const shape = Object.fromEntries(
    Array.from({ length: files }, (_, i) => [`cap-${i}.pcap.gz`, stamps(i * 100, 3, 10)]),
  );
  const place = await makeMapPlace(t, shape);
  const state = join(place.dir, 'state');
  return {
    ...place,
    state,
    async map(...args) {
      const { code, stdout, stderr } = await runMap(place, ['--json', '--state-dir', state, ...args]);
      assert.ok(code === 0 || code === 3, stderr);
      return JSON.parse(stdout) as Summary;
    },
  };
}

/** Holds the dump against that of a map which knows nothing of an earlier one. */
async function assertAsFirst(place: Place): Promise<void> {
  const dump = await readFile(place.dump, 'utf8');
  const other = join(place.dir, 'first.json');
  await place.map('--dump-json', other);
  assert.equal(dump, await readFile(other, 'utf8'));
  await rm(other);
}

describe('capfleet map again', { concurrency: 2 }, () => {
  test('reads no file when none has changed, and says so', async (t) => {
    const place = await makePlace(t);
    const { reused, files } = await place.map();
    assert.deepEqual([files, reused], [5, 0]);
    const before = await readFile(place.dump, 'utf8');
    const again = await place.map();
    assert.deepEqual([again.files, again.reused], [5, 5]);
    assert.equal(await readFile(place.dump, 'utf8'), before);
    const { stdout } = await runMap(place, ['--state-dir', place.state]);
    assert.match(stdout, /^5 files unchanged since the last mapping, not read again$/m);
    assert.deepEqual(await readdir(join(place.state, 'maps')), [], 'and no journal is left');
  });

  test('reads what is new, what grew and what was touched, and drops what is gone', async (t) => {
    const place = await makePlace(t);
    await place.map();
    await writeNumberedSet(place.captures, { 'new.pcap.gz': stamps(900, 3, 10) });
    await appendFile(join(place.captures, 'cap-0.pcap.gz'), Buffer.alloc(10));
    await utimes(join(place.captures, 'cap-1.pcap.gz'), 1, 1);
    await rm(join(place.captures, 'cap-2.pcap.gz'));
    await rename(join(place.captures, 'cap-3.pcap.gz'), join(place.captures, 'moved.pcap.gz'));
    const { files, reused } = await place.map();
    assert.deepEqual([files, reused], [5, 1]);
    await assertAsFirst(place);
  });

  test('reads every file with --fresh', async (t) => {
    const place = await makePlace(t);
    await place.map();
    assert.equal((await place.map('--fresh')).reused, 0);
  });

  test('does not read again what is no capture, and names it all the same', async (t) => {
    const place = await makePlace(t, 2);
    await writeFile(join(place.captures, 'text.pcap.gz'), 'no capture');
    for (const known of [0, 3]) {
      const { files, reused, failed } = await place.map();
      assert.deepEqual([files, reused, failed.map(({ code }) => code)], [2, known, ['capture-unknown']]);
    }
  });

  test('onto a dump that went through a formatter takes it as it is', async (t) => {
    const place = await makePlace(t);
    await place.map();
    const plain = await readFile(place.dump, 'utf8');
    for (const spaces of [0, 2]) {
      await writeFile(place.dump, JSON.stringify(JSON.parse(plain), null, spaces));
      assert.equal((await place.map()).reused, 5);
      assert.equal(await readFile(place.dump, 'utf8'), plain);
    }
  });
});

describe('capfleet map after it was killed', { concurrency: 2 }, () => {
  const MANY = 400;

  for (const [how, shared] of [
    ['with a Redis of its own', false],
    ['over a shared Redis', true],
  ] as const) {
    test(`${how} goes on where it was`, async (t) => {
      const after = lastFirst(t);
      const place = await makePlace(t, MANY);
      const redis = shared ? await startRedis(after) : null;
      if (redis) await startMapper(after, redis.url, ['--concurrency', '1']);
      const standard = ['--dir-src', place.captures, '--dump-json', place.dump, '--state-dir', place.state];
      const where = redis ? ['--redis', redis.url] : ['--file-workers', '1'];
      const first = startCapfleet(after, ['map', ...standard, ...where]);
      const journal = async (): Promise<number> => {
        const names = await readdir(join(place.state, 'maps')).catch(() => []);
        const name = names.find((entry) => entry.endsWith('.ndjson'));
        if (name === undefined) return 0;
        return (await readFile(join(place.state, 'maps', name), 'utf8')).split('\n').length - 2;
      };
      await waitFor('some files are mapped', async () => (await journal()) > 0, { timeout: 30_000 });
      first.signal('SIGKILL');
      await first.ended;
      const mapped = await journal();
      const { files, reused } = await place.map(...where);
      assert.equal(files, MANY);
      assert.ok(reused >= mapped && reused > 0, `${reused} reused, ${mapped} were in the journal`);
      await assertAsFirst(place);
    });
  }

  test('or interrupted says that it will, and does', async (t) => {
    const place = await makePlace(t, MANY);
    const standard = ['--dir-src', place.captures, '--dump-json', place.dump, '--state-dir', place.state];
    const first = startCapfleet(t, ['map', ...standard, '--file-workers', '1']);
    await waitFor(
      'some files are mapped',
      async () => {
        const [name] = await readdir(join(place.state, 'maps')).catch(() => []);
        return (
          name !== undefined && (await readFile(join(place.state, 'maps', name), 'utf8')).includes('"status"')
        );
      },
      { timeout: 30_000 },
    );
    first.signal('SIGINT');
    const { code, stderr } = await first.ended;
    if (code === 0) {
      t.skip('it was done before the signal came');
      return;
    }
    assert.equal(code, 130);
    assert.match(stderr, /interrupted\n.*what was mapped is kept/);
    assert.ok((await place.map()).reused > 0);
    await assertAsFirst(place);
  });

  test('onto one dump runs once at a time', async (t) => {
    const after = lastFirst(t);
    const place = await makePlace(t, 1);
    const redis = await startRedis(after);
    const standard = ['--dir-src', place.captures, '--dump-json', place.dump, '--state-dir', place.state];
    const first = startCapfleet(after, ['map', ...standard, '--redis', redis.url]);
    await waitFor(
      'the first is under way',
      async () => (await readdir(join(place.state, 'maps')).catch(() => [])).length > 1,
    );
    const { code, stderr } = await runMap(place, ['--state-dir', place.state]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^capfleet: process ${first.pid} is mapping into the same dump`));
  });
});

test('a dump of one file per line can be read by who knows nothing of that', async (t) => {
  const place = await makePlace(t, 3);
  await place.map();
  assert.equal((await readDumpFile(place.dump)).files.length, 3);
});
