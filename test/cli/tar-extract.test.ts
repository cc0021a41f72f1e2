// `capfleet tarExtract`: what is taken out of a tarball, and what a hostile one cannot make it do.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { program, runCapfleet, type Ended } from '../support/capfleet.ts';
import { tarFile, type TarEntry } from '../support/tar-writer.ts';
import { tempDir } from '../support/temp-dir.ts';

const A = Buffer.from('the first');
const B = Buffer.from('the second');
const MTIME = 1_600_000_000;
const entries: TarEntry[] = [
  { name: 'a.pcap', data: A, mtime: MTIME },
  { name: 'mon/tue/b.pcap', data: B, mtime: MTIME },
  { name: 'notes.txt', data: Buffer.from('text'), mtime: MTIME },
];

interface Place {
  readonly dir: string;
  readonly tarball: string;
  readonly out: string;
  run(...args: string[]): Promise<Ended>;
  /** Names below the output folder, sorted. */
  written(): Promise<string[]>;
}

async function given(t: TestContext, tar: Buffer): Promise<Place> {
  const dir = await tempDir(t);
  const [tarball, out] = [join(dir, 'set.tar'), join(dir, 'out')];
  await writeFile(tarball, tar);
  return {
    dir,
    tarball,
    out,
    run: (...args) => runCapfleet(['tarExtract', '--in-tarball', tarball, '--out-dir', out, ...args]),
    async written() {
      const found = await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []);
      return found
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
        .sort();
    },
  };
}

function through(program: string, bytes: Buffer): Buffer | null {
  const { status, stdout } = spawnSync(program, ['-c'], { input: bytes, maxBuffer: 1 << 26 });
  return status === 0 ? stdout : null;
}

describe('capfleet tarExtract', { concurrency: 2 }, () => {
  for (const [kind, pack] of [
    ['plain', (tar: Buffer) => tar],
    ['gzip', (tar: Buffer) => gzipSync(tar)],
    ['zstd', (tar: Buffer) => zstdCompressSync(tar)],
    ['xz', (tar: Buffer) => through('xz', tar)],
    ['bzip2', (tar: Buffer) => through('bzip2', tar)],
  ] as const) {
    test(`writes every file of a tarball (${kind}) with its folders and its time`, async (t) => {
      const tar = pack(tarFile(entries));
      if (!tar) {
        t.skip(`${kind} is not installed`);
        return;
      }
      const { run, out, written } = await given(t, tar);
      const { code, stdout, stderr } = await run();
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^3 files written to [^]*next: capfleet map --source/);
      assert.deepEqual(await written(), ['a.pcap', 'mon/tue/b.pcap', 'notes.txt']);
      assert.ok((await readFile(join(out, 'mon/tue/b.pcap'))).equals(B));
      assert.equal((await stat(join(out, 'a.pcap'))).mtimeMs, MTIME * 1000);
    });
  }

  test('takes the members whose name matches', async (t) => {
    const { run, written, tarball } = await given(t, tarFile(entries));
    assert.equal((await run('--file-regexp', 'tue.*pcap$')).code, 0);
    assert.deepEqual(await written(), ['mon/tue/b.pcap']);
    const { code, stderr } = await run('--file-regexp', 'x{3}');
    assert.equal(code, 1);
    assert.ok(stderr.includes(`no member of ${tarball} matches --file-regexp x{3}`), stderr);
  });

  test('--dryrun writes nothing and lists size, time and whether a member matches', async (t) => {
    const { run, written } = await given(t, tarFile(entries));
    const { code, stdout } = await run('--dryrun', '--file-regexp', 'pcap');
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[1] ?? '', /^yes +9 +2020-09-13T12:26:40\.000000000Z +a\.pcap$/);
    assert.match(lines[3] ?? '', /^no +4 .*notes\.txt$/);
    assert.deepEqual(await written(), []);
    const json = (await run('--dryrun', '--json')).stdout.trimEnd().split('\n');
    const [first] = json.map((line) => JSON.parse(line) as { name: string; size: number; matches: boolean });
    assert.deepEqual([json.length, first?.name, first?.size, first?.matches], [3, 'a.pcap', 9, true]);
  });

  test('--out-gzip compresses what is not compressed already', async (t) => {
    const packed = { name: 'packed.pcap.gz', data: gzipSync(A) };
    const { run, out, written } = await given(t, tarFile([...entries, packed]));
    assert.equal((await run('--out-gzip')).code, 0);
    assert.deepEqual(await written(), ['a.pcap.gz', 'mon/tue/b.pcap.gz', 'notes.txt.gz', 'packed.pcap.gz']);
    assert.ok(gunzipSync(await readFile(join(out, 'a.pcap.gz'))).equals(A));
    assert.ok((await readFile(join(out, 'packed.pcap.gz'))).equals(packed.data));
  });

  test('overwrites nothing unless it is told to', async (t) => {
    const { run, out } = await given(t, tarFile(entries));
    await mkdir(out);
    await writeFile(join(out, 'a.pcap'), 'mine');
    const { code, stdout } = await run();
    assert.equal(code, 3);
    assert.match(stdout, /2 files written[^]*exists +a\.pcap +a file of that name is there/);
    assert.equal(await readFile(join(out, 'a.pcap'), 'utf8'), 'mine');
    assert.equal((await run('--overwrite')).code, 0);
    assert.ok((await readFile(join(out, 'a.pcap'))).equals(A));
  });

  test('writes two members of one name as two files', async (t) => {
    const { run, out, written } = await given(
      t,
      tarFile([
        { name: 'a.pcap', data: A },
        { name: './a.pcap', data: B },
      ]),
    );
    const { code, stdout } = await run();
    assert.equal(code, 0);
    const names = await written();
    assert.equal(names.length, 2);
    assert.match(stdout, /renamed/);
    const contents = await Promise.all(names.map((name) => readFile(join(out, name), 'utf8')));
    assert.deepEqual(contents.sort(), [A, B].map(String).sort());
  });

  test('gives its result as a document with --json', async (t) => {
    const { run, out, tarball } = await given(t, tarFile([...entries, { name: '../x', data: A }]));
    const { code, stdout } = await run('--json');
    assert.equal(code, 3);
    const { troubles, ...result } = JSON.parse(stdout) as { troubles: { name: string }[] } & Record<
      string,
      unknown
    >;
    assert.deepEqual(result, {
      tarball,
      outDir: out,
      members: 4,
      matched: 4,
      written: 3,
      bytes: A.length + B.length + 4,
      counts: { refused: 1 },
      damage: null,
    });
    assert.deepEqual(
      troubles.map(({ name }) => name),
      ['../x'],
    );
  });

  test('ends quietly when nobody reads its list to the end', async (t) => {
    const many = Array.from({ length: 3000 }, (_, i) => ({ name: `${'n'.repeat(80)}${String(i)}`, data: A }));
    const { tarball } = await given(t, tarFile(many, 'pax'));
    const pipe = '"$0" "$1" tarExtract --in-tarball "$2" --dryrun | head -n 1';
    const { stderr, stdout } = spawnSync('sh', ['-c', pipe, process.execPath, program, tarball], {
      encoding: 'utf8',
    });
    assert.match(stdout, /^matches/);
    assert.equal(stderr, '');
  });

  test('wants to know where to write', async (t) => {
    const { tarball } = await given(t, tarFile(entries));
    const { code, stderr } = await runCapfleet(['tarExtract', '--in-tarball', tarball]);
    assert.equal(code, 2);
    assert.match(stderr, /--out-dir/);
  });
});

const hostile: [what: string, entry: Partial<TarEntry>, reason: RegExp][] = [
  ['a path that leads upwards', { name: '../evil' }, /leads upwards/],
  ['a path that leads upwards on the way', { name: 'x/../../evil' }, /leads upwards/],
  ['an absolute path', { name: '/tmp/capfleet-evil' }, /absolute/],
  ['control characters in its name', { name: 'a\nb' }, /control characters/],
  ['a name beyond all measure', { name: 'n'.repeat(300) }, /too long/],
];

describe('a tarball with a member that has', { concurrency: 2 }, () => {
  for (const [what, entry, reason] of hostile) {
    test(`${what} has it reported and not written`, async (t) => {
      const member = { data: B, ...entry } as TarEntry;
      const { run, dir, written } = await given(t, tarFile([{ name: 'good', data: A }, member], 'pax'));
      const { code, stdout } = await run();
      assert.equal(code, 3, stdout);
      assert.match(stdout, reason);
      assert.deepEqual(await written(), ['good']);
      assert.deepEqual((await readdir(dir)).sort(), ['out', 'set.tar']);
    });
  }

  test('links, devices and pipes in it has them reported and not made, and what would go through them stays inside', async (t) => {
    const tar = tarFile([
      { name: 'file', data: A },
      { name: 'hard', type: '1', linkName: 'file' },
      { name: 'link', type: '2', linkName: '/tmp' },
      { name: 'tty', type: '3' },
      { name: 'pipe', type: '6' },
      { name: 'link/evil', data: B },
    ]);
    const { run, written, out } = await given(t, tar);
    const { code, stdout } = await run();
    assert.equal(code, 3, stdout);
    for (const name of ['hard', 'link', 'tty', 'pipe'])
      assert.match(stdout, new RegExp(`refused +${name} +it is a `));
    assert.deepEqual(await written(), ['file', 'link/evil']);
    assert.ok((await stat(join(out, 'link'))).isDirectory());
  });

  test('a folder on its way that is a link in the output folder has it reported and not written', async (t) => {
    const { run, dir, out, written } = await given(t, tarFile([{ name: 'sub/evil', data: B }]));
    await mkdir(join(dir, 'elsewhere'));
    await mkdir(out);
    await symlink(join(dir, 'elsewhere'), join(out, 'sub'));
    const { code, stdout } = await run();
    assert.equal(code, 3, stdout);
    assert.match(stdout, /symbolic link/);
    assert.deepEqual(await readdir(join(dir, 'elsewhere')), []);
    assert.deepEqual(await written(), ['sub']);
  });

  test('a file for its folder has it reported', async (t) => {
    const { run, written } = await given(
      t,
      tarFile([
        { name: 'x', data: A },
        { name: 'x/y', data: B },
      ]),
    );
    const { code, stdout } = await run();
    assert.equal(code, 3);
    assert.match(stdout, /a folder of its path is a file/);
    assert.deepEqual(await written(), ['x']);
  });
});

describe('a tarball that', { concurrency: 2 }, () => {
  test('is cut off gives what was there, and says where it ends', async (t) => {
    const { run, written } = await given(t, tarFile(entries).subarray(0, 1024 + 512 + 512 + 3));
    const { code, stdout } = await run();
    assert.equal(code, 3, stdout);
    assert.deepEqual((await written()).includes('a.pcap'), true);
    assert.match(stdout, /cut off|ends/);
    const listed = await run('--dryrun');
    assert.equal(listed.code, 3, listed.stderr);
    assert.match(listed.stdout, /a\.pcap/);
  });

  test('is none is refused by name', async (t) => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('no tarball at all'), Buffer.alloc(5000, 0x41)]) {
      const { run, tarball, written } = await given(t, bytes);
      const { code, stderr } = await run();
      assert.equal(code, 1);
      assert.ok(stderr.includes(tarball), stderr);
      assert.deepEqual(await written(), []);
    }
  });

  test('is far larger than the memory is taken out piece by piece', async (t) => {
    const size = 300 * 1024 ** 2;
    const sized = tarFile([{ name: 'large', size }]).subarray(0, 512);
    const { tarball, out } = await given(t, sized);
    const grow = spawnSync('truncate', ['-s', String(512 + size + 1024), tarball]);
    assert.equal(grow.status, 0);
    const { code, stderr } = await runCapfleet(['tarExtract', '--in-tarball', tarball, '--out-dir', out], {
      env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=48' },
    });
    assert.equal(code, 0, stderr);
    assert.equal((await stat(join(out, 'large'))).size, size);
  });
});
