// How well many sensors keep one instant: four agents with wall clocks seconds apart, in network namespaces of their
// own, over one Redis; what they send is stamped by one clock at the far ends: `npm run bench:sync` (all), or with the
// names of sections: `npm run bench:sync -- skew stop`. Needs tcpdump, redis-server and a C compiler. Raw runs go to
// bench/runs.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { toSensorsKey } from '@capfleet/shared/contract/keys';
import { silentLogger } from '@capfleet/shared/log/logger';
import { connect } from '@capfleet/shared/redis/connect';
import { readStream } from '@capfleet/shared/redis/stream';
import { parseInstant } from '@capfleet/shared/time/nanos';
import type { Comparison } from '@capfleet/shared/verify/comparison';
import { enterNamespaces } from '../test/support/enter-namespaces.ts';
import { pcapFile } from '../test/support/pcap-writer.ts';
import { startRedis, type RedisServer } from '../test/support/redis-server.ts';
import { waitFor } from '../test/support/wait-for.ts';
import { bounded } from './support/bounded.ts';
import { compiled } from './support/compiled.ts';
import { median } from './support/in-turn.ts';
import { bursty, even } from './support/paced-set.ts';
import { isInstalled, ROOT } from './support/processes.ts';
import { Sensors, type Played } from './support/sensors.ts';
import { Verdicts } from './support/verdicts.ts';

const skipped = await enterNamespaces(import.meta);
if (skipped !== false) process.exit(1);

const SECOND = 1_000_000_000n;
/** ns ahead of the host's clock, which Redis has. */
const CLOCKS = { a: 0n, b: 3n * SECOND, c: -3n * SECOND, d: 1_234_567_890n };
const LIMIT_MS = 10 * 60_000;

const folder = bounded('sync', LIMIT_MS);
// Whatever is started has its temporary files here, and ends with this process.
process.env['TMPDIR'] = folder;

const verdicts = new Verdicts('sync');
const us = (ns: bigint | number): number => Number(ns) / 1000;
const most = (values: readonly number[]): number => Math.max(...values);

/** A report tells of hand-overs to the kernel; from there to the receiver's stamp a packet may take this long. */
const PATH_US = 50;

/** How far apart the sensors' first packets arrive, each against its due time; and whether the report says so. */
async function skew(sensors: Sensors): Promise<void> {
  const rounds = 20;
  const set = await sensors.makeSet('skew', () => even(5, 100, 20_000_000));
  verdicts.section(`start skew: 4 sensors, wall clocks up to 6 s apart, ${rounds} runs`);
  const runs: Readonly<Record<'apart' | 'told' | 'bound' | 'clockBound', number>>[] = [];
  const raw: unknown[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { report, comparison } = await sensors.play(set);
    const { startSkew, start, clock } = report;
    if (!startSkew || clock?.name !== 'redis')
      throw new Error(`an odd run: ${JSON.stringify(report.verdict)}`);
    const bounds = report.sensors.map(({ clockBound }) => us(BigInt(clockBound ?? 0)));
    runs.push({
      apart: us(comparison.startSkew),
      told: us(BigInt(startSkew.measured)),
      bound: us(BigInt(startSkew.clockBound)),
      clockBound: most(bounds),
    });
    const due = parseInstant(start ?? '') ?? 0n;
    raw.push({
      startSkew,
      bounds,
      apart: comparison.startSkew.toString(),
      late: comparison.sensors.map((sensor) => us(sensor.start - due)),
    });
  }
  verdicts.raw('skew', raw);
  const apart = runs.map((run) => run.apart);
  console.log(
    '  µs: apart at the receiver, apart by the report, ± clocks of two sensors, ± of the worst one',
  );
  for (const run of runs) {
    const figures = [run.apart, run.told, run.bound, run.clockBound];
    console.log(`  ${figures.map((value) => value.toFixed(1).padStart(9)).join(' ')}`);
  }
  verdicts.figure({ name: 'start skew, median', value: median(apart), unit: 'µs' });
  verdicts.figure({
    name: `start skew, p99 (of ${rounds} runs: the largest)`,
    value: most(apart),
    unit: 'µs',
    bound: { most: 300 },
  });
  verdicts.figure({
    name: 'runs further apart than their report allows',
    value: runs.filter((run) => run.apart > run.told + run.bound + PATH_US).length,
    unit: '',
    bound: { most: 0 },
  });
  verdicts.figure({
    name: 'largest clock bound of a sensor',
    value: most(runs.map((run) => run.clockBound)),
    unit: 'µs',
    bound: { most: 500 },
  });
}

/** Packets at random over all sensors: who comes before whom, and how alike the whole is to its source. */
async function order(sensors: Sensors): Promise<void> {
  const seconds = 10;
  const perSecond = 1000;
  const set = await sensors.makeSet('order', (place) => bursty(seconds, perSecond, 11 + place));
  verdicts.section(`order: 4 sensors of ${perSecond} packets per second each, ${seconds} s`);
  const { arrived, comparison } = await sensors.play(set);
  const all = [...arrived.values()].flat().sort((a, b) => (a.time < b.time ? -1 : 1));
  const merged = join(folder, 'merged.pcap');
  const records = all.map(({ time, data }) => {
    return { seconds: Number(time / SECOND), fraction: Number(time % SECOND), data };
  });
  writeFileSync(merged, pcapFile({ magic: 'ns' }, records));
  const whole = JSON.parse(
    await sensors.run(['verify', '--source', set.dump, '--received', merged, '--json']),
  ) as Comparison;
  const { outOfOrder } = comparison;
  verdicts.raw('order', {
    whole,
    outOfOrder: outOfOrder.map(({ distance, packets }) => ({ distance: us(distance), packets })),
  });
  console.log(`  ${whole.matched} of ${whole.sent} packets arrived`);
  for (const { distance, packets } of outOfOrder)
    console.log(`  before one of another sensor that is over ${us(distance)} µs earlier: ${packets} packets`);
  const { kappa, U, O, L, I } = whole.consistency;
  const part = (value: number | null): string => (value ?? 0).toExponential(2);
  console.log(`  U ${part(U)}, O ${part(O)}, L ${part(L)}, I ${part(I)}`);
  verdicts.figure({ name: 'lost', value: whole.lost, unit: '', bound: { most: 0 } });
  const absences = JSON.parse(
    execFileSync(compiled('absences', folder), [String(seconds), '500'], { encoding: 'utf8' }),
  ) as { count: number; longestNs: number };
  verdicts.raw('absences', absences);
  verdicts.figure({
    name: `times in ${seconds} s afterwards that the host takes a processor for over 500 µs`,
    value: absences.count,
    unit: '',
  });
  verdicts.figure({ name: 'the longest', value: us(absences.longestNs), unit: 'µs' });
  verdicts.figure({
    name: 'packets out of order by more than 500 µs',
    value: outOfOrder.find(({ distance }) => distance === 500_000n)?.packets ?? Number.NaN,
    unit: '',
    bound: { most: 0 },
  });
  verdicts.figure({ name: 'κ of all sensors as one', value: kappa, unit: '' });
}

const OUTAGE_MS = 20_000;

/** Nothing changes on the wire while Redis is gone. */
async function outage(sensors: Sensors, redis: RedisServer): Promise<void> {
  const seconds = 40;
  const set = await sensors.makeSet('outage', (place) => bursty(seconds, 1000, 21 + place));
  verdicts.section(`outage: ${seconds} s, with Redis there and without it for ${OUTAGE_MS / 1000} s`);
  const there = await sensors.play(set);
  const gone = await sensors.play(set, async () => {
    await started(redis);
    await sleep((seconds * 1000 - OUTAGE_MS) / 2);
    await redis.kill();
    await sleep(OUTAGE_MS);
    await redis.start();
  });
  const shares = { p50: 0.5, p99: 0.99, max: 1 };
  type Quantile = keyof typeof shares;
  const names = Object.keys(shares) as Quantile[];
  const worst = ({ off }: Played, name: Quantile): number =>
    most([...off.values()].map((ns) => us(ns[Math.ceil(shares[name] * ns.length) - 1] ?? Number.NaN)));
  const drift = ({ comparison }: Played): number =>
    most(comparison.sensors.map(({ endDrift }) => Math.abs(us(endDrift))));
  const figures = [there, gone].map((played) => ({
    ...Object.fromEntries(names.map((name) => [name, worst(played, name)])),
    endDrift: drift(played),
    outcome: played.report.outcome,
    arrived: most([...played.arrived.values()].map(({ length }) => length)),
    warnings: played.report.sensors.flatMap(({ result }) => result?.warnings ?? []),
  }));
  verdicts.raw('outage', { there: figures[0], gone: figures[1] });
  console.log('  schedule deviation of the worst sensor, µs:  p50       p99       max   end drift');
  for (const [name, played] of Object.entries({ 'Redis there': there, 'Redis gone': gone })) {
    const row = [...names.map((each) => worst(played, each)), drift(played)];
    console.log(`  ${name.padEnd(40)}${row.map((value) => value.toFixed(1).padStart(9)).join(' ')}`);
  }
  const lost = (played: Played): number =>
    played.comparison.sensors.reduce((sum, { expected, inPlace }) => sum + expected - inPlace, 0);
  verdicts.figure({
    name: 'packets lost or misplaced',
    value: lost(there) + lost(gone),
    unit: '',
    bound: { most: 0 },
  });
  for (const [name, bound] of [
    ['p50', { most: 1.25 }],
    ['p99', { most: 1.5 }],
    ['max', undefined],
  ] as const) {
    verdicts.figure({
      name: `schedule deviation ${name}, without Redis to with`,
      value: worst(gone, name) / worst(there, name),
      unit: '×',
      ...(bound && { bound }),
    });
  }
  verdicts.figure({ name: 'end drift without Redis', value: drift(gone), unit: 'µs', bound: { most: 1000 } });
  const reports = gone.report.sensors.filter(({ result }) => result?.outcome === 'done');
  verdicts.figure({
    name: 'sensors that reported afterwards',
    value: reports.length,
    unit: '',
    bound: { least: 4 },
  });
}

/** From the word in Redis to the last packet. */
async function stop(sensors: Sensors, redis: RedisServer): Promise<void> {
  const rounds = 10;
  const set = await sensors.makeSet('stop', (place) => bursty(60, 1000, 31 + place));
  verdicts.section(`stop: 4 sensors in full play, ${rounds} runs`);
  const client = connect(redis.url, 'bench', silentLogger());
  const took: number[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      let told = 0n;
      const { report, arrived } = await sensors.play(set, async () => {
        const run = await started(redis);
        await sleep(500);
        await sensors.run(['stop', run, '--redis', redis.url, '--json']);
        const words = await readStream(client, toSensorsKey(run), '0', 1);
        const word = words.find(({ fields }) => fields['message']?.includes('"stop"'));
        // An entry's name begins with its time, ms of Redis' clock.
        told = BigInt(word?.id.split('-')[0] ?? 0) * 1_000_000n;
      });
      if (report.outcome !== 'stopped' || told === 0n)
        throw new Error(`it was not stopped: ${report.outcome}`);
      const last = [...arrived.values()].map((packets) => packets.at(-1)?.time ?? 0n);
      took.push(most(last.map((time) => us(time - told) / 1000)));
    }
  } finally {
    client.disconnect();
  }
  verdicts.raw('stop', took);
  console.log(`  ms: ${took.map((ms) => ms.toFixed(1)).join(' ')}`);
  verdicts.figure({ name: 'from the word to the last packet, median', value: median(took), unit: 'ms' });
  verdicts.figure({ name: 'the largest', value: most(took), unit: 'ms', bound: { most: 200 } });
}

/** Waits for the start of the latest run. @returns its name */
async function started({ url }: RedisServer): Promise<string> {
  const world = redisRunWorld(url, silentLogger());
  try {
    const before = Date.now();
    return await waitFor(
      'a run that has started',
      async () => {
        const [listing] = await world.store.list(1);
        const latest = listing?.record;
        if (!latest || Number(BigInt(latest.created) / 1_000_000n) < before) return null;
        const { commit } = await world.store.story(latest.run);
        return commit && commit.start < BigInt(Date.now()) * 1_000_000n && latest.run;
      },
      { timeout: 60_000, every: 50 },
    );
  } finally {
    await world.close();
  }
}

const sections = { skew, order, outage, stop };
const asked = process.argv.slice(2);
for (const needed of ['tcpdump', 'redis-server', 'cc']) {
  if (!isInstalled(needed)) throw new Error(`${needed} is not installed`);
}
const redis = await startRedis({ after: () => undefined }, { appendOnly: true });
const sensors = await Sensors.start(CLOCKS, folder, redis.url);
for (const [name, run] of Object.entries(sections)) {
  if (asked.length === 0 || asked.includes(name)) await run(sensors, redis);
}
verdicts.finish(join(ROOT, 'bench/runs'));
process.exit();
