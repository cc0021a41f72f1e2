// What `capfleet map` refuses, and how it writes its dump: {"files": []} is whole until the new one is, and where a
// map cannot be done or kept, nothing changes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { program, runCapfleet } from '../support/capfleet.ts';
import { makeMapPlace, readDumpFile, runMap, OLD_DUMP } from '../support/map-cli.ts';
import { stamps } from '../support/numbered-set.ts';
import { waitFor } from '../support/wait-for.ts';
import { nobody } from '../support/nobody.ts';

/** Everything that a map can know about its folder before it reads a file. */
const folders: [what: string, args: (place: string) => string[], said: (place: string) => string][] = [
  [
    'a folder that is not there',
    (place) => [join(place, 'gone')],
    (place) => `no such folder: ${place}/gone`,
  ],
  [
    'a folder without a matching file',
    (place) => [place],
    (place) => `no file under ${place} matches suffix "pcap.gz"`,
  ],
  [
    'a pattern that matches nothing',
    (place) => [place, '--file-suffix', '', '--file-regexp', 'x{3}'],
    (place) => `no file under ${place} matches regexp x{3}`,
  ],
  [
    'an ending and a pattern that match nothing together',
    (place) => [place, '--file-suffix', 'file', '--file-regexp', 'x{3}'],
    (place) => `no file under ${place} matches suffix "file" and regexp x{3}`,
  ],
];

describe('capfleet map refuses', { concurrency: 2 }, () => {
  for (const [what, args, said] of folders) {
    test(what, async (t) => {
      const { dir } = await makeMapPlace(t);
      await writeFile(join(dir, 'file'), 'x');
      await writeFile(join(dir, 'map.json'), OLD_DUMP);
      const [folder = '', ...more] = args(dir);
      const dump = join(dir, 'map.json');
      const { code, stdout, stderr } = await runCapfleet([
        'map',
        '--dir-src',
        folder,
        '--dump-json',
        dump,
        ...more,
      ]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.equal(stderr.split('\n')[0], `capfleet: ${said(dir)}`);
      assert.match(stderr, /--source|--file-suffix/, 'and names the option to change');
      assert.equal(await readFile(dump, 'utf8'), OLD_DUMP);
      assert.deepEqual((await readdir(dir)).sort(), ['file', 'in', 'map.json'], 'nothing is left');
    });
  }
});

/** A mount namespace, in which a small file system can be had; or the reason why not. */
function smallDisk(): { unshare: string[] } | { reason: string } {
  const unshare = process.getuid?.() === 0 ? ['unshare', '-m', '--'] : ['unshare', '-r', '-m', '--'];
  const [command = '', ...args] = unshare;
  const tried = spawnSync(command, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' });
  return tried.status === 0
    ? { unshare }
    : { reason: `no tmpfs in a mount namespace: ${tried.error?.message ?? tried.stderr.trim()}` };
}

/** Mounts a tiny file system, puts an old dump there, runs the command, and says what is there afterwards. */
const ON_A_SMALL_DISK = `
mount -t tmpfs -o size=16k tmpfs "$1"
cd "$1"
printf '{"files": []}' > map.json
shift
code=0
"$@" || code=$?
echo "folder: $(ls -A)"
echo "dump: $(cat map.json)"
exit $code`;

describe('the dump of capfleet map', { concurrency: 2 }, () => {
  test('replaces an old one and keeps its rights', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await writeFile(place.dump, OLD_DUMP, { mode: 0o600 });
    assert.equal((await runMap(place)).code, 0);
    assert.equal((await readDumpFile(place.dump)).files.length, 1);
    assert.equal((await stat(place.dump)).mode & 0o777, 0o600);
    assert.deepEqual((await readdir(place.dir)).sort(), ['in', 'map.json']);
  });

  test('is refused where a folder has its name', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await mkdir(place.dump);
    const { code, stdout, stderr } = await runMap(place);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`^capfleet: cannot write ${place.dump}: it is a folder\n.*--dump-json`));
    assert.deepEqual((await readdir(place.dir)).sort(), ['in', 'map.json']);
  });

  test('is refused in a folder that is not there, before anything is mapped', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    const dump = join(place.dir, 'gone/map.json');
    const { code, stdout, stderr } = await runMap(place, ['--dump-json', dump, '--log-level', 'info']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`^capfleet: cannot write ${dump}: ENOENT`));
    assert.doesNotMatch(stderr, /mapper ready/);
  });

  test('is refused in a folder without the right to write, and the old one stays', async (t) => {
    const as = await nobody();
    if ('reason' in as) {
      t.skip(as.reason);
      return;
    }
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await writeFile(place.dump, OLD_DUMP);
    await chmod(place.dir, 0o555);
    const { code, stdout, stderr } = await runMap(place, [], as);
    await chmod(place.dir, 0o755);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`^capfleet: cannot write ${place.dump}: EACCES`));
    assert.equal(await readFile(place.dump, 'utf8'), OLD_DUMP);
    assert.deepEqual((await readdir(place.dir)).sort(), ['in', 'map.json']);
  });

  test('does not touch the old one when the disk is full', async (t) => {
    const disk = smallDisk();
    if ('reason' in disk) {
      t.skip(disk.reason);
      return;
    }
    const names = Array.from({ length: 40 }, (_, number) => `${number}.pcap.gz`);
    const place = await makeMapPlace(t, Object.fromEntries(names.map((name, number) => [name, [number]])));
    const mounted = join(place.dir, 'small');
    await mkdir(mounted);
    const through = [...disk.unshare, 'sh', '-ec', ON_A_SMALL_DISK, 'sh', mounted, process.execPath, program];
    const dump = join(mounted, 'map.json');
    const { code, stdout, stderr } = await runMap(place, ['--dump-json', dump], { through });
    assert.equal(code, 1, stderr);
    assert.equal(stdout, 'folder: map.json\ndump: {"files": []}\n');
    assert.match(stderr, new RegExp(`^capfleet: cannot write ${dump}: ENOSPC`));
  });
});

describe('a file that is there and is no mapping', { concurrency: 2 }, () => {
  test('is not replaced, be it one of the captures, not even with --fresh', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0], 'b.pcap.gz': [1] });
    const capture = join(place.captures, 'a.pcap.gz');
    const before = await readFile(capture);
    for (const more of [[], ['--fresh']]) {
      const { code, stderr } = await runMap({ ...place, dump: capture }, more);
      assert.equal(code, 1);
      assert.match(stderr, /a\.pcap\.gz is there and is no mapping\n *name another file with --dump-json/);
    }
    assert.ok((await readFile(capture)).equals(before));
  });

  test('is, where it is empty', async (t) => {
    const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
    await writeFile(place.dump, '');
    assert.equal((await runMap(place)).code, 0);
  });
});

describe('capfleet map refuses as usage', { concurrency: 2 }, () => {
  for (const args of [
    ['--source', ''],
    ['--source', '/', '--dump-json', ''],
    ['--source', '/', '--json', '--format', 'csv'],
    ['--source', '/', '--dump-json', '-', '--json'],
    ['--source', '/', '--dump-json', '-', '--format', 'csv'],
  ]) {
    test(args.map((arg) => arg || "''").join(' '), async () => {
      const { code, stderr } = await runCapfleet(['map', ...args]);
      assert.equal(code, 2, stderr);
    });
  }
});

test('nothing stays in the folder for temporary files when nobody reads the result', async (t) => {
  const place = await makeMapPlace(
    t,
    Object.fromEntries(stamps(0, 300, 1).map((n) => [`${n}.pcap.gz`, [n]])),
  );
  const temporary = join(place.dir, 'tmp');
  await mkdir(temporary);
  const script = `"$0" "$1" map --source "$2" --dump-json - | true`;
  spawnSync('sh', ['-c', script, process.execPath, program, place.captures], {
    env: { ...process.env, TMPDIR: temporary },
  });
  await waitFor('it to be empty', async () => (await readdir(temporary)).length === 0);
});

test('a result that cannot be written to stdout is an error, not a stack', async (t) => {
  const place = await makeMapPlace(t, { 'a.pcap.gz': [0] });
  assert.equal((await runMap(place)).code, 0);
  const script = `"$0" "$1" lanes "$2" > /dev/full`;
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, program, place.dump], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /^capfleet: cannot write the result to standard output: ENOSPC[^\n]*\n$/);
});
