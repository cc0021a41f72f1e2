// The demo's story, step by step. It uses the program as a person would, through its commands.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startPrivateRedis } from '@capfleet/cli/local/private-redis';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { DataSet } from '@capfleet/shared/dataset/dataset';
import { readDump } from '@capfleet/shared/dataset/gophercap-json';
import { plainReplay, planReplay } from '@capfleet/shared/dataset/replay-plan';
import { exitCode } from '@capfleet/shared/errors/exit-codes';
import { parseRational, type Rational } from '@capfleet/shared/time/rational';
import type { Truth } from '../../test/support/capture-truth.ts';
import { compareReplay, type Comparison } from '../../test/support/compare-replay.ts';
import {
  end,
  makeSensorHost,
  program,
  REPLAY_INTERFACE,
  startAgent,
  type SensorHost,
} from '../../test/support/sensor-hosts.ts';
import { makeSet, type SetRequest } from './make-set.ts';
import { costs, IF_IT_FAILS, judge, noteOnSourceOrder, showComparison } from './verdict.ts';

export interface DemoOptions extends SetRequest {
  /** A ratio as typed; null: chosen by the set's length. */
  readonly speed: string | null;
}

interface Sensor {
  readonly name: string;
  readonly received: string;
  /** Null where it replays into a file. */
  readonly host: SensorHost | null;
}

const root = resolve(import.meta.dirname, '../..');
const work = join(root, '.demo');
const sensorNames = ['a', 'b'];
const LONGEST_AT_ONE = 30_000_000_000n;

/** Resolves with the exit code: 0 only if the verdict holds, else that of a replay whose verdict does not. */
export async function runDemo(options: DemoOptions): Promise<number> {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const children: ChildProcess[] = [];
  const { folder, truth } = await makeSet(options, work, say);

  const redis = await startPrivateRedis();
  try {
    title('map: two mapper workers pull one job per file');
    const dump = join(work, 'map.json');
    for (let worker = 0; worker < 2; worker += 1) {
      children.push(capfleetInBackground(['mapper', '--redis', redis.url, '--log-level', 'warn']));
    }
    const suffix =
      options.captures === null
        ? ['--file-suffix', 'pcap.gz']
        : ['--file-suffix', '', '--file-regexp', '\\.(pcap|cap)(\\.gz)?$'];
    await capfleet(['map', '--dir-src', folder, ...suffix, '--redis', redis.url, '--dump-json', dump]);
    const set = readDump(readFileSync(dump, 'utf8'), dump);
    const lanesRight = truth === null ? null : lanesMatch(set, truth);

    const speed = chooseSpeed(options.speed, set);
    title(`replay: sensors a and b, ${speed} × the original speed, one instant`);
    const sensors: Sensor[] = [];
    for (const name of sensorNames) sensors.push(await makeSensor(name, set, options.namespaces));
    for (const sensor of sensors) children.push(startSensor(sensor, redis.url));
    const replayArgs = [
      '--sensors',
      sensorNames.join(','),
      '--dump-json',
      dump,
      '--redis',
      redis.url,
      '--time-modifier',
      speed,
    ];
    const reportText = await capfleet(['replay', ...replayArgs, '--json'], 'quiet', [0, 4]);
    const report = JSON.parse(reportText) as RunReport;
    for (const { host } of sensors) await host?.receiver.stop();

    title('verdict: what arrived at the far ends, against the source');
    const comparison = await compare(set, sensors, speed);
    const verdict = judge({ report, comparison, lanesRight });
    say(showComparison({ report, comparison }));
    for (const { holds, text } of verdict) say(`${holds ? '  holds ' : '  FAILS '} ${text}`);
    for (const line of costs(report)) say(`  note   ${line}`);
    const note = noteOnSourceOrder({ comparison });
    if (note !== null) say(`        ${note}`);
    const holds = verdict.every((line) => line.holds);
    const json = join(work, 'verdict.json');
    writeFileSync(json, `${JSON.stringify({ holds, verdict, comparison, report }, bigintAsText, 2)}\n`);
    say(`\n${holds ? 'The verdict holds.' : 'The verdict does not hold.'} All figures: ${json}`);
    if (!holds) say(IF_IT_FAILS);
    return holds ? 0 : exitCode.verdict;
  } finally {
    await Promise.all(children.map(end));
    await redis.close();
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function title(text: string): void {
  say(`\n== ${text}`);
}

function capfleetInBackground(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** Runs the program to its end and gives its standard output, which is also shown unless asked not to. */
async function capfleet(
  args: readonly string[],
  show: 'shown' | 'quiet' = 'shown',
  accepted = [0],
): Promise<string> {
  say(`$ npx capfleet ${args.map((arg) => (/^[\w./:=,-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ')}`);
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (show === 'shown') process.stdout.write(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === null || !accepted.includes(code)) {
    if (show === 'quiet') process.stdout.write(output);
    throw new Error(`capfleet ${args[0] ?? ''} ended with ${String(code)}`);
  }
  return output;
}

/** True where every thread's files make up one lane, and no lane has others. */
function lanesMatch(set: DataSet, truth: Truth): boolean {
  const found = new Map<number, string[]>();
  for (const { lane, map } of set.files) found.set(lane, [...(found.get(lane) ?? []), map.name]);
  const asText = (groups: Iterable<string[]>): string =>
    JSON.stringify([...groups].map((names) => [...names].sort()).sort());
  return asText(found.values()) === asText(Object.values(truth.chains));
}

/** As asked; else the power of ten that plays the set in half a minute. */
function chooseSpeed(asked: string | null, set: DataSet): string {
  if (asked !== null) return asked;
  const duration = set.span ? set.span.latest - set.span.earliest : 0n;
  let speed = 1n;
  while (duration / speed > LONGEST_AT_ONE) speed *= 10n;
  return String(speed);
}

function ratioOf(text: string): Rational {
  const ratio = parseRational(text);
  if (!ratio) throw new Error(`--speed ${text} is no positive ratio`);
  return ratio;
}

async function makeSensor(name: string, set: DataSet, namespaces: boolean): Promise<Sensor> {
  if (!namespaces) {
    const received = join(work, `received-${name}.pcap`);
    return { name, received, host: null };
  }
  const largest = set.files.reduce((most, { map }) => Math.max(most, map.maxCaptured), 0);
  const host = await makeSensorHost(name, largest, work);
  say(
    `sensor ${name}: a network namespace with ${REPLAY_INTERFACE}, MTU ${String(host.mtu)}; tcpdump at the far end`,
  );
  return { name, received: host.received, host };
}

function startSensor({ name, received, host }: Sensor, redis: string): ChildProcess {
  if (host) return startAgent(host, redis);
  const args = ['replayer', '--sensor', name, '--interface', `file:${received}`, '--redis', redis];
  return capfleetInBackground([...args, '--log-level', 'warn']);
}

async function compare(set: DataSet, sensors: readonly Sensor[], speed: string): Promise<Comparison> {
  const ratio = ratioOf(speed);
  const request = { ...plainReplay, sensors: sensorNames, rule: { by: 'lane' } as const, speed: ratio };
  const plans = planReplay(set, request, 'the demo');
  const { numerator, denominator } = ratio;
  const wireMillisecond = (1_000_000n * BigInt(numerator)) / BigInt(denominator);
  return compareReplay({
    sensors: sensors.map(({ name, received }) => ({
      sensor: name,
      received,
      files: plans.find(({ sensor }) => sensor === name)?.files.map(({ path }) => path) ?? [],
    })),
    speed: { numerator: BigInt(numerator), denominator: BigInt(denominator) },
    base: set.span?.earliest ?? 0n,
    distances: [...new Set([wireMillisecond, 1_000_000n])],
  });
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
