// How well replays keep their time and how fast they can be: Capfleet, tcpreplay and a bare loop in C, in turn, over a
// pair of interfaces between two network namespaces: `npm run bench:replay` (all), or with the names of sections:
// `npm run bench:replay -- top gaps`. Needs tcpreplay and tcpdump. Raw runs go to bench/runs.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { RunReport, SensorReport } from '@capfleet/shared/contract/report';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { enterNamespaces } from '../test/support/enter-namespaces.ts';
import { createNamespace, linkCounters, runIn, spawnIn, vethPair } from '../test/support/netns.ts';
import { readPcap } from '../test/support/pcap-reader.ts';
import { startReceiver } from '../test/support/receive.ts';
import { compiled } from './support/compiled.ts';
import { inTurn, median, medianOf, type Contender } from './support/in-turn.ts';
import { bursty, even, writeSet } from './support/paced-set.ts';
import { isInstalled, PROGRAM, ROOT } from './support/processes.ts';
import { Verdicts } from './support/verdicts.ts';

const skipped = await enterNamespaces(import.meta);
if (skipped !== false) process.exit(1);

const NS = 'sensor';
const FAR = 'far';
const OUT = 'out0';
const IN = 'in0';
const folder = mkdtempSync(join(process.env['CAPFLEET_BENCH_DIR'] ?? tmpdir(), 'capfleet-replay-'));
const verdicts = new Verdicts('replay');

const capfleet = (set: string, ...args: readonly string[]): Promise<RunReport> =>
  capfleetTo(OUT, set, ...args);

async function capfleetTo(out: string, set: string, ...args: readonly string[]): Promise<RunReport> {
  const command = ['replay', '--dump-json', `${set}.json`, '--out-interface', out, '--json', ...args];
  return JSON.parse(await program(command)) as RunReport;
}

/** Largest resident size of the program that ran last, or of one process that it started, bytes. */
let largest = 0;

/** Runs the program in the sensor's namespace; a verdict that does not hold is a result too. */
async function program(args: readonly string[]): Promise<string> {
  const child = spawnIn(NS, process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  largest = 0;
  const watching = setInterval(() => {
    largest = Math.max(largest, peakOf(child.pid ?? 0));
  }, 100);
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(watching);
  if (code !== 0 && code !== 4) throw new Error(`capfleet ${args.join(' ')} ended with ${code}`);
  return output;
}

/** What a process has held at most, or one that it started if that is more, bytes; 0 once it is gone. */
function peakOf(pid: number): number {
  try {
    const own = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return Math.max(
      own * 1024,
      ...children.filter((child) => child !== '').map((child) => peakOf(Number(child))),
    );
  } catch {
    return 0;
  }
}

/** Maps a capture, or the folder that it lies in, to a dump beside it. */
async function map(capture: string, source = capture): Promise<void> {
  await program([
    'map',
    '--source',
    source,
    '--file-suffix',
    'pcap',
    '--dump-json',
    `${capture}.json`,
    '--json',
  ]);
}

function resultOf({ sensors }: RunReport): NonNullable<SensorReport['result']> {
  const result = sensors[0]?.result;
  if (!result) throw new Error('no result');
  return result;
}

const tcpreplay = (...args: readonly string[]): Promise<string> =>
  runIn(NS, 'tcpreplay', ['-i', OUT, ...args]);
const bare = async (
  ...args: readonly string[]
): Promise<{ packets: number; seconds: number; refused: number }> =>
  JSON.parse(await runIn(NS, bareLoop(), [OUT, ...args])) as {
    packets: number;
    seconds: number;
    refused: number;
  };

const CORE = [
  'wait.c',
  'margin.c',
  'link_af_packet.c',
  'interface_facts.c',
  'kernel_touch.c',
  'transmit_stamps.c',
];
let bareLoopProgram: string | null = null;
function bareLoop(): string {
  return (bareLoopProgram ??= compiled('bare-loop', folder, CORE));
}

const OURS = 'capfleet --topspeed';
const XDP = 'capfleet --topspeed, af_xdp';
const THEIRS = 'tcpreplay -t';
const BARE = 'bare loop';

/** As fast as it goes, from a page-cached file. */
async function top(): Promise<void> {
  for (const [length, count] of [
    // Far more than the ring holds before the start.
    [64, 5_000_000],
    [1514, 1_000_000],
  ] as const) {
    const set = join(folder, `top-${length}.pcap`);
    writeSet(set, even(count, length, 1000));
    await map(set);
    verdicts.section(`top speed, frames of ${length} bytes: ${count} packets`);
    const arrived = async (send: () => Promise<number>): Promise<number> => {
      const before = await linkCounters(FAR, IN);
      const seconds = await send();
      const { rxPackets } = await linkCounters(FAR, IN);
      const lost = count - (rxPackets - before.rxPackets);
      if (lost !== 0) console.log(`  ${lost} of ${count} packets did not arrive`);
      return seconds;
    };
    const contenders: Contender[] = [
      {
        name: OURS,
        run: () =>
          arrived(async () => {
            const seconds = await topspeed(set, OUT);
            memory = Math.max(memory, largest);
            return seconds;
          }),
      },
      {
        name: THEIRS,
        run: () => arrived(async () => secondsOf(await tcpreplay('-t', set))),
      },
      { name: BARE, run: () => arrived(async () => (await bare(set, 'top', '1')).seconds) },
      {
        name: XDP,
        run: () => arrived(() => topspeed(set, `af_xdp:${OUT}`)),
      },
    ];
    let memory = 0;
    const runs = await inTurn(contenders, 5);
    verdicts.measured(`top ${length}`, runs);
    const rates = runs.map(({ median }) => Math.round(count / median).toLocaleString('en'));
    console.log(`  packets per second: ${rates.join(', ')}`);
    const rateOf = (name: string): number => count / medianOf(runs, name);
    verdicts.figure({
      name: `rate to that of ${THEIRS}`,
      value: rateOf(OURS) / rateOf(THEIRS),
      unit: '×',
      bound: { least: 1.4 },
    });
    verdicts.figure({
      name: `rate to that of the ${BARE}`,
      value: rateOf(OURS) / rateOf(BARE),
      unit: '×',
      bound: { least: 0.9 },
    });
    verdicts.figure({
      name: 'rate of af_xdp to that of af_packet',
      value: rateOf(XDP) / rateOf(OURS),
      unit: '×',
      ...(length === 64 && { bound: { least: 1.3 } }),
    });
    verdicts.figure({
      name: 'resident size of its largest process',
      value: memory / 1e6,
      unit: 'MB',
      bound: { most: 250 },
    });
    await compressed(set, count);
    rmSync(set);
  }
}

/** Seconds from the first frame to the last. */
async function topspeed(set: string, out: string): Promise<number> {
  const { firstSent, lastSent } = resultOf(await capfleetTo(out, set, '--topspeed'));
  return Number(BigInt(lastSent ?? 0) - BigInt(firstSent ?? 0)) / 1e9;
}

/** From gzip a replay is as fast as inflating allows. */
async function compressed(set: string, count: number): Promise<void> {
  const packed = `${set}.gz`;
  const ours = 'capfleet --topspeed, gzip';
  const gunzip = "Node's gunzip to nowhere";
  await pipeline(createReadStream(set), createGzip({ level: 1 }), createWriteStream(packed));
  await program(['map', '--source', packed, '--dump-json', `${packed}.json`, '--json']);
  const runs = await inTurn(
    [
      { name: ours, run: () => topspeed(packed, OUT) },
      {
        name: gunzip,
        run: async () => {
          const started = performance.now();
          const nowhere = new Writable({
            write(_chunk, _encoding, done) {
              done();
            },
          });
          await pipeline(createReadStream(packed, { highWaterMark: 1 << 20 }), createGunzip(), nowhere);
          return (performance.now() - started) / 1000;
        },
      },
    ],
    3,
  );
  verdicts.measured(`gzip ${count}`, runs);
  const value = medianOf(runs, ours) / medianOf(runs, gunzip);
  verdicts.figure({ name: "time to that of Node's gunzip", value, unit: '×' });
  rmSync(packed);
}

/** What tcpreplay says it took. */
function secondsOf(output: string): number {
  const seconds = /sent in ([\d.]+) seconds/.exec(output)?.[1];
  if (seconds === undefined) throw new Error(`tcpreplay did not tell its time: ${output}`);
  return Number(seconds);
}

let received = 0;
/** Captures the far end while something is sent, and holds it against the set. */
async function verified(
  set: string,
  send: () => Promise<unknown>,
  ...args: readonly string[]
): Promise<Comparison> {
  const file = join(folder, `received-${received++}.pcap`);
  const receiver = await startReceiver({ ns: FAR, iface: IN, file });
  await send();
  const { droppedByKernel } = await receiver.stop();
  if (droppedByKernel > 0) console.log(`  the receiver lost ${droppedByKernel} packets`);
  const command = ['verify', '--source', `${set}.json`, '--received', file, '--json', ...args];
  const comparison = JSON.parse(await program(command)) as Comparison;
  rmSync(file);
  return comparison;
}

const ROUNDS = 3;
const QUANTILES = ['p50', 'p90', 'p99'] as const;
type Quantile = (typeof QUANTILES)[number];

async function gaps(): Promise<void> {
  const set = join(folder, 'gaps.pcap');
  const count = writeSet(set, bursty(10, 20_000, 5));
  await map(set);
  verdicts.section(`gaps: ${count} packets in 10 s, with bursts`);
  const send = {
    capfleet: () => capfleet(set),
    'tcpreplay -K': () => tcpreplay('-K', set),
    'bare loop': () => bare(set, 'paced', '1'),
  };
  type Name = keyof typeof send;
  const names = Object.keys(send) as Name[];
  const runs: Record<Name, Comparison[]> = { capfleet: [], 'tcpreplay -K': [], 'bare loop': [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) runs[name].push(await verified(set, send[name]));
  }
  verdicts.raw('gaps', runs);
  const medianIn = (name: Name, of: (comparison: Comparison) => number): number => median(runs[name].map(of));
  const gapError = (name: Name, q: Quantile): number =>
    medianIn(name, ({ timing }) => timing?.gapError[q] ?? 0);
  const deviation = (name: Name, q: Quantile): number =>
    medianIn(name, ({ timing }) => timing?.deviation[q] ?? 0);
  console.log(
    `  ${''.padEnd(14)} gap p50       p90       p99   schedule p50       p90       p99 µs   arrived`,
  );
  const us = (ns: number): string => (ns / 1000).toFixed(1).padStart(9);
  for (const name of names) {
    const gap = QUANTILES.map((q) => us(gapError(name, q))).join(' ');
    const schedule = QUANTILES.map((q) => us(deviation(name, q))).join(' ');
    console.log(`  ${name.padEnd(14)}${gap}    ${schedule}   ${medianIn(name, ({ matched }) => matched)}`);
  }
  const figure = (name: string, value: number, most: number): void => {
    verdicts.figure({ name, value, unit: '×', bound: { most } });
  };
  const ratio = (of: typeof gapError, q: Quantile, to: Name): number => of('capfleet', q) / of(to, q);
  figure('gap error p50 to that of the bare loop', ratio(gapError, 'p50', 'bare loop'), 1.3);
  figure('gap error p50 to that of tcpreplay -K', ratio(gapError, 'p50', 'tcpreplay -K'), 1);
  figure('gap error p90 to that of tcpreplay -K', ratio(gapError, 'p90', 'tcpreplay -K'), 1.2);
  figure('schedule deviation p99 to that of tcpreplay -K', ratio(deviation, 'p99', 'tcpreplay -K'), 0.1);
}

async function drift(): Promise<void> {
  for (const [speed, seconds, perSecond] of [
    ['1', 60, 20_000],
    ['0.1', 2, 20_000],
    ['0.37', 7, 20_000],
    ['2.5', 50, 8000],
    ['100', 1000, 100],
  ] as const) {
    const set = join(folder, `drift-${speed}.pcap`);
    const count = writeSet(set, bursty(seconds, perSecond, 7));
    await map(set);
    verdicts.section(`drift at ${speed}×: ${count} packets, ${(seconds / Number(speed)).toFixed(0)} s`);
    const args = ['--time-modifier', speed];
    const { timing, matched, lost, order } = await verified(set, () => capfleet(set, ...args), ...args);
    verdicts.raw(`drift ${speed}`, { timing, matched, lost, order });
    if (lost > 0) console.log(`  ${lost} packets lost`);
    const end = Math.abs(timing?.endDeviation ?? Number.NaN) / 1e6;
    verdicts.figure({ name: `end deviation at ${speed}×`, value: end, unit: 'ms', bound: { most: 1 } });
    verdicts.figure({
      name: `drift at ${speed}×`,
      value: Math.abs(timing?.drift ?? Number.NaN),
      unit: 'ppm',
      bound: { most: 5 },
    });
    rmSync(set);
  }
  await scaled();
}

/** A pass that is to take a certain time takes that time. */
async function scaled(): Promise<void> {
  const set = join(folder, 'scaled.pcap');
  writeSet(set, bursty(23, 4000, 8));
  await map(set);
  const seconds = 10;
  verdicts.section(`--time-scale-duration ${seconds}s`);
  const { firstSent, startError, lastSent, endDrift } = resultOf(
    await capfleet(set, '--time-scale-duration', `${seconds}s`),
  );
  const start = BigInt(firstSent ?? 0) - BigInt(startError ?? 0);
  const off = Number(BigInt(lastSent ?? 0) - start - BigInt(seconds) * 1_000_000_000n);
  verdicts.figure({
    name: 'end beyond what was asked for',
    value: Math.abs(off) / 1e6,
    unit: 'ms',
    bound: { most: 1 + Math.max(0, Number(endDrift ?? 0)) / 1e6 },
  });
}

const BURST = 10;

/** Equal stamps go back to back. */
async function bursts(): Promise<void> {
  const set = join(folder, 'bursts.pcap');
  const packets = Array.from(
    { length: 10_000 },
    (_, index) => [Math.floor(index / BURST) * 5_000_000, 300] as const,
  );
  writeSet(set, packets);
  await map(set);
  verdicts.section(`bursts: ${packets.length / BURST} of ${BURST} packets with one stamp each`);
  const file = join(folder, 'bursts-received.pcap');
  const receiver = await startReceiver({ ns: FAR, iface: IN, file });
  await capfleet(set);
  await receiver.stop();
  const times = readPcap(readFileSync(file)).packets.map(({ time }) => time);
  if (times.length !== packets.length) console.log(`  ${times.length} of ${packets.length} packets arrived`);
  const spans = Array.from({ length: packets.length / BURST }, (_, burst) =>
    Number((times[burst * BURST + BURST - 1] ?? 0n) - (times[burst * BURST] ?? 0n)),
  ).sort((a, b) => a - b);
  verdicts.raw('bursts', spans);
  verdicts.figure({
    name: 'a burst at the receiver, median',
    value: (spans[spans.length >> 1] ?? Number.NaN) / 1000,
    unit: 'µs',
    bound: { most: 100 },
  });
}

async function order(): Promise<void> {
  const files = 16;
  const each = 5000;
  const below = join(folder, 'order');
  execFileSync('mkdir', ['-p', below]);
  for (let file = 0; file < files; file += 1) {
    const packets = Array.from({ length: each }, (_, index) => [index * 400_000 + file * 3000, 100] as const);
    writeSet(join(below, `${String(file).padStart(2, '0')}.pcap`), packets, file * each);
  }
  const first = join(below, '00.pcap');
  await map(first, below);
  verdicts.section(`order: ${files} files interleaved by 3 µs, ${files * each} packets`);
  const found = await verified(first, () => capfleet(first));
  verdicts.raw('order', found);
  verdicts.figure({ name: 'inversions', value: found.order.inversions, unit: '', bound: { most: 0 } });
}

/** What pacing takes at a low rate. */
async function cost(): Promise<void> {
  const set = join(folder, 'cost.pcap');
  const count = writeSet(set, bursty(10, 1000, 9));
  await map(set);
  verdicts.section(`cost: ${count} packets in 10 s`);
  const { pacing, lateness } = resultOf(await capfleet(set));
  verdicts.raw('cost', { pacing, lateness });
  verdicts.figure({
    name: 'processor time of the pacer at 1 kpps',
    value: Number(pacing.cpu) / 1e7 / 10,
    unit: '%',
    bound: { most: 25 },
  });
}

const sections = { top, gaps, drift, order, bursts, cost };
const asked = process.argv.slice(2);
try {
  for (const needed of ['tcpreplay', 'tcpdump']) {
    if (!isInstalled(needed)) throw new Error(`${needed} is not installed`);
  }
  await createNamespace(NS);
  await createNamespace(FAR);
  await vethPair({ a: { ns: NS, name: OUT }, b: { ns: FAR, name: IN } });
  for (const [name, run] of Object.entries(sections)) {
    if (asked.length === 0 || asked.includes(name)) await run();
  }
  verdicts.finish(join(ROOT, 'bench/runs'));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
