// What mapping costs, against the peers, in turn in one run: `npm run bench:map` (all), or with the names of sections:
// `npm run bench:map -- plain gzip`. Needs capinfos; sections that need more say so. Raw runs go to bench/runs.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { quickMap } from '@capfleet/mapper/quick-map';
import { disk } from '@capfleet/shared/source/disk';
import { s3Source } from '@capfleet/shared/source/s3/s3-source';
import type { Source, SourceFile } from '@capfleet/shared/source/source';
import { startFaultProxy } from '../test/support/fault-proxy.ts';
import { pcapFile } from '../test/support/pcap-writer.ts';
import { startS3Server } from '../test/support/s3-server.ts';
import { inTurn, type Contender } from './support/in-turn.ts';
import { multiply, type Multiplied } from './support/multiplied.ts';
import { Cluster, isInstalled, PROGRAM, ROOT, runScript, timeCommand } from './support/processes.ts';
import { holeyCapture, sparseCapture } from './support/sparse.ts';
import { Verdicts } from './support/verdicts.ts';

const ROUNDS = 7;
const GIB = 2 ** 30;
const CAPTURES = process.env['CAPFLEET_CAPTURES'] ?? resolve(ROOT, '../shared/captures');
const REAL = join(CAPTURES, 'real/files');

const folder = mkdtempSync(join(process.env['CAPFLEET_BENCH_DIR'] ?? tmpdir(), 'capfleet-bench-'));
const verdicts = new Verdicts('map');

const worker = (path: string): Contender => ({
  name: 'capfleet, one worker',
  run: () => Number(runScript('one-worker.ts', [path])['seconds']),
});
const capinfos = (path: string): Contender => ({
  name: 'capinfos -TMcuae',
  run: () => timeCommand('capinfos', ['-TMcuae', path]),
});

/** Made once, on first use. */
const made = new Map<string, Promise<Multiplied>>();
function large(): Promise<Multiplied> {
  const sources = ['pcapplusplus__example.pcap', 'wiki__x11-glx.pcap.gz'].map((name) => join(REAL, name));
  return once('large', () => multiply(sources, join(folder, 'large.pcap'), GIB));
}
function small(): Promise<Multiplied> {
  const sources = ['ndpi__gnutella.pcap', 'wiki__SIP_DTMF2.cap', 'wiki__nfs_bad_stalls.cap'].map((name) =>
    join(REAL, name),
  );
  return once('small', () => multiply(sources, join(folder, 'small.pcap'), GIB, 64));
}
function once(name: string, make: () => Promise<Multiplied>): Promise<Multiplied> {
  const before = made.get(name);
  if (before) return before;
  const making = make();
  made.set(name, making);
  return making;
}

async function plain(): Promise<void> {
  for (const [what, file, least] of [
    ['packets of 800 bytes', await large(), 1],
    ['packets of 64 bytes', await small(), 0.6],
  ] as const) {
    verdicts.section(`uncompressed, ${what}: ${file.packets} packets, ${(file.bytes / GIB).toFixed(2)} GiB`);
    const cat: Contender = {
      name: 'cat',
      run: () => timeCommand('sh', ['-c', `cat ${file.path} > /dev/null`]),
    };
    const runs = await inTurn([worker(file.path), capinfos(file.path), cat], ROUNDS);
    verdicts.measured(`plain, ${what}`, runs, file.bytes);
    const [ours = 0, theirs = 0, reading = 0] = runs.map((run) => run.median);
    verdicts.figure({
      name: 'throughput to that of capinfos',
      value: theirs / ours,
      unit: '×',
      bound: { least },
    });
    const ofCat = least === 1 ? { bound: { least: 0.5 } } : {};
    verdicts.figure({ name: 'throughput to that of cat', value: reading / ours, unit: '×', ...ofCat });
  }
}

const packers: Readonly<Record<string, readonly [command: string, suffix: string]>> = {
  gzip: ['gzip -6', 'gz'],
  zstd: ['zstd -q -3', 'zst'],
  lz4: ['lz4 -q -1', 'lz4'],
};

async function packed(kind: string): Promise<void> {
  const file = await large();
  const [command, suffix] = packers[kind] ?? ['', ''];
  const [program = ''] = command.split(' ');
  if (!isInstalled(program)) {
    console.log(`\n${kind}: left out, ${program} is not installed`);
    return;
  }
  const path = `${file.path}.${suffix}`;
  if (!existsSync(path)) execFileSync('sh', ['-c', `${command} -c < ${file.path} > ${path}`]);
  verdicts.section(
    `${kind}: ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB of ${(file.bytes / GIB).toFixed(2)} GiB`,
  );
  const bare: Contender = {
    name: kind === 'gzip' ? "Node's gunzip to nowhere" : 'the bare decoder to nowhere',
    run: () => Number(runScript('bare-decoder.ts', [kind, path])['seconds']),
  };
  const runs = await inTurn([worker(path), bare, capinfos(path)], ROUNDS);
  verdicts.measured(kind, runs, file.bytes);
  const [ours = 0, decoder = 0, theirs = 0] = runs.map((run) => run.median);
  verdicts.figure({
    name: `time to that of ${bare.name}`,
    value: ours / decoder,
    unit: '×',
    bound: { most: 1.15 },
  });
  const faster = kind === 'gzip' ? { bound: { least: 1 } } : {};
  verdicts.figure({ name: 'throughput to that of capinfos', value: theirs / ours, unit: '×', ...faster });
}

/** The time of a map without what it needs to start and to end. */
async function mapSeconds(cluster: Cluster, source: string): Promise<number> {
  const once = async (where: string): Promise<number> => {
    const started = performance.now();
    const dump = join(folder, 'dump.json');
    const map = cluster.map(['--source', where, '--file-suffix', '', '--dump-json', dump, '--fresh']);
    const code = await map.ended;
    if (code !== 0) throw new Error(`map ended with ${code}: ${map.stderr}`);
    return (performance.now() - started) / 1000;
  };
  return (await once(source)) - (await once(tiny()));
}

function tiny(): string {
  const path = join(folder, 'tiny');
  if (!existsSync(path)) tinyFiles(path, 1);
  return path;
}

async function scaling(): Promise<void> {
  const file = await large();
  const source = join(folder, 'scaling');
  mkdirSync(source, { recursive: true });
  if (!existsSync(`${file.path}.gz`))
    execFileSync('sh', ['-c', `gzip -6 -c < ${file.path} > ${file.path}.gz`]);
  for (let index = 0; index < 4; index += 1) {
    const path = join(source, `${index}.pcap.gz`);
    if (!existsSync(path)) execFileSync('cp', [`${file.path}.gz`, path]);
  }
  verdicts.section('two workers against one: 4 gzip files of 1 GiB');
  const clusters = await Promise.all(
    [1, 2].map((workers) => Cluster.start(folder, workers, ['--concurrency', '1'])),
  );
  try {
    const contenders = clusters.map((cluster, index): Contender => ({
      name: `${index + 1} worker${index === 0 ? '' : 's'}`,
      run: () => mapSeconds(cluster, source),
    }));
    const runs = await inTurn(contenders, 3);
    verdicts.measured('scaling', runs, 4 * file.bytes);
    const [one = 0, two = 0] = runs.map((run) => run.median);
    verdicts.figure({ name: 'two workers to one', value: one / two, unit: '×', bound: { least: 1.7 } });
  } finally {
    for (const cluster of clusters) await cluster.end();
  }
}

/** So many captures of two packets each. */
function tinyFiles(path: string, count: number): void {
  const data = Buffer.alloc(64);
  for (let index = 0; index < count; index += 1) {
    const below = join(path, String(Math.floor(index / 1000)));
    if (index % 1000 === 0) mkdirSync(below, { recursive: true });
    const packets = [0, 1].map((fraction) => ({ seconds: 1_600_000_000 + index, fraction, data }));
    writeFileSync(join(below, `cap-${String(index).padStart(6, '0')}.pcap`), pcapFile({}, packets));
  }
}

async function queue(): Promise<void> {
  const count = 20_000;
  const source = join(folder, 'queue');
  tinyFiles(source, count);
  verdicts.section(
    `queue: ${count} files of two packets, two mappers, Redis and coordinator on this machine`,
  );
  const cluster = await Cluster.start(folder, 2);
  try {
    const rates: number[] = [];
    const shares: object[] = [];
    for (let round = 0; round < 3; round += 1) {
      const before = [cluster.redis, ...cluster.mappers].map((process) => (process.look(), process.cpu));
      const started = performance.now();
      const map = cluster.map([
        '--source',
        source,
        '--file-suffix',
        '',
        '--dump-json',
        join(folder, 'dump.json'),
        '--fresh',
      ]);
      const code = await map.ended;
      const seconds = (performance.now() - started) / 1000;
      if (code !== 0) throw new Error(map.stderr);
      const [redis = 0, ...mappers] = [cluster.redis, ...cluster.mappers].map((process, index) => {
        process.look();
        return process.cpu - (before[index] ?? 0);
      });
      const share = {
        seconds,
        redis,
        coordinator: map.cpu,
        mappers: mappers.reduce((sum, cpu) => sum + cpu, 0),
      };
      shares.push(share);
      rates.push(count / seconds);
      const percent = (cpu: number): string => `${((100 * cpu) / seconds).toFixed(0)} %`;
      console.log(
        `  ${(count / seconds).toFixed(0)} files/s over the whole command; processor: Redis ${percent(redis)}, coordinator ${percent(map.cpu)}, two mappers ${percent(share.mappers)}`,
      );
    }
    verdicts.raw('queue', shares);
    rates.sort((a, b) => a - b);
    verdicts.figure({
      name: 'tiny files per second, whole way',
      value: rates[1] ?? 0,
      unit: '/s',
      bound: { least: 2000 },
    });
  } finally {
    await cluster.end();
  }
}

async function start(): Promise<void> {
  verdicts.section('start-up: one tiny file, private Redis and mappers included');
  const args = [
    'map',
    '--source',
    tiny(),
    '--file-suffix',
    '',
    '--dump-json',
    join(folder, 'dump.json'),
    '--fresh',
  ];
  const runs = await inTurn(
    [{ name: 'capfleet map', run: () => timeCommand(process.execPath, [PROGRAM, ...args]) }],
    ROUNDS,
  );
  verdicts.measured('start', runs);
  verdicts.figure({ name: 'start-up', value: runs[0]?.median ?? 0, unit: 's', bound: { most: 1.5 } });
}

/** One hundred thousand small files, and a capture of 20 GB: what the parts grow to. */
async function scale(): Promise<void> {
  const count = 100_000;
  const source = join(folder, 'scale');
  tinyFiles(source, count);
  verdicts.section(`scale: ${count} files`);
  const cluster = await Cluster.start(folder, 2);
  try {
    const idle = cluster.memory();
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, cluster.memory() - idle)), 500);
    const started = performance.now();
    const map = cluster.map([
      '--source',
      source,
      '--file-suffix',
      '',
      '--dump-json',
      join(folder, 'dump.json'),
    ]);
    const code = await map.ended;
    clearInterval(watch);
    if (code !== 0) throw new Error(map.stderr);
    const seconds = (performance.now() - started) / 1000;
    const after = cluster.memory() - idle;
    const again = cluster.map([
      '--source',
      source,
      '--file-suffix',
      '',
      '--dump-json',
      join(folder, 'dump.json'),
    ]);
    await again.ended;
    verdicts.raw('scale', {
      seconds,
      peak,
      after,
      coordinator: map.largest,
      again: JSON.parse(again.stdout) as unknown,
    });
    console.log(`  ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} files/s`);
    verdicts.figure({
      name: 'coordinator, resident',
      value: map.largest / 1e6,
      unit: 'MB',
      bound: { most: 300 },
    });
    verdicts.figure({
      name: 'coordinator on the second run, resident',
      value: again.largest / 1e6,
      unit: 'MB',
      bound: { most: 300 },
    });
    verdicts.figure({
      name: 'Redis per file while running',
      value: peak / count / 1000,
      unit: 'KB',
      bound: { most: 1.5 },
    });
    verdicts.figure({
      name: 'Redis per file after',
      value: Math.max(0, after) / count / 1000,
      unit: 'KB',
      bound: { most: 0.7 },
    });
    await large20(cluster);
  } finally {
    await cluster.end();
  }
}

/** A capture of 20 GB, in parts and whole. */
async function large20(cluster: Cluster): Promise<void> {
  const path = join(folder, 'twenty.pcap');
  const packets = holeyCapture(path, 20 * 10 ** 9);
  for (const [how, args] of [
    ['whole', []],
    ['in parts of 1 GiB', ['--split-size', '1GiB']],
  ] as const) {
    const started = performance.now();
    const map = cluster.map([
      '--source',
      path,
      '--dump-json',
      join(folder, 'dump20.json'),
      '--fresh',
      ...args,
    ]);
    if ((await map.ended) !== 0) throw new Error(map.stderr);
    const seconds = (performance.now() - started) / 1000;
    const found = (JSON.parse(map.stdout) as { packets: number }).packets;
    if (found !== packets) throw new Error(`${found} packets of ${packets}`);
    console.log(
      `  20 GB, ${how}: ${seconds.toFixed(1)} s, coordinator ${(map.largest / 1e6).toFixed(0)} MB resident`,
    );
    verdicts.raw(`20 GB, ${how}`, { seconds, coordinator: map.largest });
  }
}

async function quick(): Promise<void> {
  const bytes = 100 * 10 ** 9;
  const path = join(folder, 'sparse.pcap');
  sparseCapture(path, bytes);
  verdicts.section('quick map of a sparse capture of 100 GB');
  const file = await disk.stat(path);
  const runs = await inTurn([{ name: 'quick map, in the worker', run: () => timeQuick(disk, file) }], ROUNDS);
  verdicts.measured('quick', runs);
  verdicts.figure({
    name: 'quick map',
    value: (runs[0]?.median ?? 0) * 1000,
    unit: 'ms',
    bound: { most: 50 },
  });
  const server = await startS3Server();
  if (typeof server === 'string') {
    console.log(`  from S3: left out, ${server}`);
    return;
  }
  Object.assign(process.env, server.env);
  const after: (() => Promise<void> | void)[] = [];
  try {
    const { endpoint, makeBucket, testOptions } = await import('../test/support/s3-bucket.ts');
    const hook = { after: (work: () => Promise<void> | void) => void after.unshift(work) };
    const bucket = await makeBucket(hook);
    const small = join(folder, 'sparse-small.pcap');
    sparseCapture(small, 256 * 2 ** 20);
    const bytes = await disk.open(await disk.stat(small));
    await bucket.upload('sparse.pcap', bytes);
    await bytes.close();
    const proxy = await startFaultProxy(hook, endpoint);
    const source = s3Source(testOptions({ endpoint: proxy.url }));
    const object = await source.stat(`${bucket.path}/sparse.pcap`);
    const seconds = await timeQuick(source, object);
    const asked = proxy.passed.reduce((sum, { range }) => {
      const [, from = '0', to = '-1'] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      return sum + Number(to) - Number(from) + 1;
    }, 0);
    console.log(`  from S3: ${(seconds * 1000).toFixed(0)} ms`);
    verdicts.figure({
      name: 'quick map from S3, read',
      value: asked / 1000,
      unit: 'KB',
      bound: { most: 200 },
    });
  } finally {
    for (const work of after) await work();
    await server.close();
  }
}

async function timeQuick(source: Source, file: SourceFile): Promise<number> {
  const started = performance.now();
  const map = await quickMap(source, file, { trustSnaplen: true });
  if (map?.estimated !== true) throw new Error(`no quick map of ${file.path}`);
  return (performance.now() - started) / 1000;
}

const sections: Readonly<Record<string, () => Promise<void>>> = {
  plain,
  gzip: () => packed('gzip'),
  zstd: () => packed('zstd'),
  lz4: () => packed('lz4'),
  scaling,
  queue,
  start,
  quick,
  scale,
};

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in sections));
if (unknown.length > 0 || !existsSync(REAL)) {
  console.error(
    unknown.length > 0
      ? `no section ${unknown.join(', ')}; there are: ${Object.keys(sections).join(', ')}`
      : `the real captures are not at ${CAPTURES}: set CAPFLEET_CAPTURES`,
  );
  process.exit(2);
}
try {
  for (const [name, run] of Object.entries(sections)) {
    if (chosen.length === 0 || chosen.includes(name)) await run();
  }
  verdicts.finish(join(ROOT, 'bench/runs'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
