// capfleet replay: plays a mapped data set, from this host or from many sensors at one instant, and reports.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { redisSensorChannel } from '@capfleet/coordinator/adapters/redis-sensor-channel';
import { replayRun, SHORTEST_LEAD } from '@capfleet/coordinator/usecases/replay-run';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { SensorPattern } from '@capfleet/shared/dataset/assignment';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import {
  planReplay,
  runDuration,
  type Pace,
  type ReplayPolicies,
  type ReplayRequest,
  type SensorPlan,
} from '@capfleet/shared/dataset/replay-plan';
import { moveRoots, type RootMove } from '@capfleet/shared/dataset/roots';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable } from '@capfleet/shared/redis/connect';
import { sources } from '@capfleet/shared/source/sources';
import { formatDuration, type Nanos } from '@capfleet/shared/time/nanos';
import { ONE, type Rational } from '@capfleet/shared/time/rational';
import { loadDump } from '../load-dump.ts';
import { startLocal } from '../local/children.ts';
import { startPrivateRedis } from '../local/private-redis.ts';
import {
  addS3Options,
  jsonOption,
  logLevelOption,
  parseAssignments,
  parseLoops,
  parsePattern,
  parsePositive,
  parsePositiveSpan,
  parseRate,
  parseRoots,
  parseSensorNames,
  parseSpan,
  parseSpeed,
  parseTime,
  redisOption,
  s3Args,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { replayProgressBar } from '../show/progress.ts';
import { showReport } from '../show/report.ts';
import type { CommonOptions, World } from '../world.ts';

interface ReplayOptions extends CommonOptions, S3CommandOptions {
  readonly dumpJson: string;
  readonly outInterface?: string;
  readonly sensors?: readonly string[];
  readonly assignBy: 'lane' | 'folder' | 'size';
  readonly assign?: readonly SensorPattern[];
  readonly root?: readonly RootMove[];
  readonly fileRegexp?: RegExp;
  readonly timeFrom?: Nanos;
  readonly timeTo?: Nanos;
  readonly timeModifier?: Rational;
  readonly timeScaleEnabled: boolean;
  readonly timeScaleDuration?: Nanos;
  readonly waitDisable: boolean;
  readonly topspeed: boolean;
  readonly pps?: Rational;
  readonly mbps?: Rational;
  readonly maxGap?: Nanos;
  readonly loopCount: number;
  readonly loopInfinite: boolean;
  readonly loopDelay: Nanos;
  readonly limit?: number;
  readonly duration?: Nanos;
  readonly skipOoo: boolean;
  readonly mtuPolicy: ReplayPolicies['oversize'];
  readonly skipMtu: boolean;
  readonly redis?: string;
  readonly lead: bigint;
  readonly maxClockBound: bigint;
  readonly sensorTimeout: bigint;
  readonly prepareTimeout: bigint;
  readonly allowDefaultRouteInterface: boolean;
}

const examples = `Examples:
  capfleet replay --dump-json meta.json --out-interface veth0
  capfleet replay --dump-json meta.json --out-interface veth0 --time-modifier 2.5 --loop-count 3
  capfleet replay --dump-json s3://captures/2026/map.json --out-interface veth0 --s3-endpoint https://s3.example.org
  capfleet replay --dump-json meta.json --sensors a,b --redis redis://queue:6379
      with \`capfleet replayer --sensor a --interface IF --redis redis://queue:6379\` on each sensor's host

Exit codes: 0 played and the verdict holds, 4 played but it does not, 1 not played, 130 stopped by Ctrl-C.
`;

const CLOSE_DEADLINE_MS = 1000;

/** As with GopherCap. */
const DEFAULT_SCALE: Nanos = 3_600_000_000_000n;

/** The one sensor of a replay from this host. */
const LOCAL_SENSOR = 'local';

export function replayCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('replay')
    .description('play a mapped data set with its original timing, and report how well that went')
    .option(
      '--dump-json <file>',
      'mapping written by `capfleet map` (or GopherCap), also s3://BUCKET/KEY',
      'capfleet.json',
    )
    .option('--out-interface <if>', 'play from this host into this interface; or null, or file:PATH')
    .addOption(
      new Option('--sensors <names>', 'play from these sensors, comma-separated').argParser(parseSensorNames),
    )
    .addOption(
      new Option('--assign-by <rule>', 'what stays together on one sensor')
        .choices(['lane', 'folder', 'size'])
        .default('lane'),
    )
    .addOption(
      new Option('--assign <sensor=regexp>', 'files of a sensor by their path; repeatable').argParser(
        parseAssignments,
      ),
    )
    .addOption(
      new Option(
        '--root <old=new>',
        'where the files lie that were mapped below old: a folder or s3://…; repeatable',
      ).argParser(parseRoots),
    )
    .addOption(
      new Option('--file-regexp <regexp>', 'play only files whose path matches').argParser(parsePattern),
    )
    .addOption(
      new Option(
        '--time-from <time>',
        'play from this packet time on, such as 2026-11-24T09:00:00+01:00',
      ).argParser(parseTime),
    )
    .addOption(
      new Option(
        '--time-to <time>',
        'play up to this packet time, included; without a zone it is UTC',
      ).argParser(parseTime),
    )
    .addOption(
      new Option('--time-modifier <ratio>', 'speed: 2 is twice as fast, 0.37 or 1/3 is slower')
        .argParser(parseSpeed)
        .conflicts(['timeScaleDuration', 'timeScaleEnabled']),
    )
    .addOption(
      new Option('--time-scale-duration <duration>', 'play one pass in exactly this time').argParser(
        parsePositiveSpan,
      ),
    )
    .option('--time-scale-enabled', 'as --time-scale-duration, 1h where that is not given', false)
    .addOption(
      pace('--topspeed', 'as fast as the interface takes, whatever the stamps', 'topspeed').default(false),
    )
    .addOption(pace('--wait-disable', 'as --topspeed', 'waitDisable').default(false))
    .addOption(pace('--pps <rate>', 'packets per second, whatever the stamps', 'pps').argParser(parseRate))
    .addOption(
      pace('--mbps <rate>', 'Mbit of frames per second, whatever the stamps', 'mbps').argParser(parseRate),
    )
    .addOption(
      new Option('--max-gap <duration>', 'idle time on the wire beyond this is left out').argParser(
        parsePositiveSpan,
      ),
    )
    .addOption(
      new Option('--loop-count <n>', 'times the set is played; 0 or less is without end')
        .argParser(parseLoops)
        .default(1),
    )
    .option('--loop-infinite', 'play without end, until Ctrl-C', false)
    .addOption(
      new Option('--loop-delay <duration>', 'wait between two loops').argParser(parseSpan).default(0n, '0s'),
    )
    .addOption(
      new Option('--limit <packets>', 'end after so many packets of each sensor').argParser(parsePositive),
    )
    .addOption(new Option('--duration <duration>', 'end after so much time').argParser(parsePositiveSpan))
    .option('--skip-ooo', 'leave out packets whose stamp runs backwards in their file', false)
    .addOption(
      new Option('--mtu-policy <policy>', 'frames larger than the interface takes: refuse the run, or …')
        .choices(['fail', 'skip', 'truncate'])
        .default('fail'),
    )
    .option('--skip-mtu', 'as --mtu-policy skip', false)
    .addOption(redisOption())
    .addOption(span('--lead <duration>', 'from the commit to the start', 1_000_000_000n, '1s'))
    .addOption(span('--max-clock-bound <duration>', 'worst clock a sensor may have', 5_000_000n, '5ms'))
    .addOption(
      span('--sensor-timeout <duration>', 'how long to wait for sensors to register', 10_000_000_000n, '10s'),
    )
    .addOption(span('--prepare-timeout <duration>', 'how long sensors may prepare', 60_000_000_000n, '60s'))
    .option('--allow-default-route-interface', "allow the interface of this host's default route", false);
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: ReplayOptions) => run((world) => replay(options, world)));
}

const paces = [
  'topspeed',
  'waitDisable',
  'pps',
  'mbps',
  'timeModifier',
  'timeScaleDuration',
  'timeScaleEnabled',
];

/** Ways to say how fast, of which there can be one. */
function pace(flags: string, meaning: string, name: string): Option {
  return new Option(flags, meaning).conflicts(paces.filter((other) => other !== name));
}

function span(flags: string, meaning: string, value: bigint, text: string): Option {
  return new Option(flags, meaning).argParser(parsePositiveSpan).default(value, text);
}

async function replay(options: ReplayOptions, world: World): Promise<ExitCode> {
  const sensors = chooseSensors(options);
  const set = onlyFiles(await loadDump(options.dumpJson, sources(s3Options(options))), options);
  const plans = planReplay(set, requestOf(options, sensors), options.dumpJson);
  const report = await play(moveFiles(plans, options.root ?? []), options, world);
  world.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : showReport(report));
  return exitOf(report, world);
}

function onlyFiles(set: DataSet, { fileRegexp, dumpJson }: ReplayOptions): DataSet {
  if (!fileRegexp) return set;
  const maps = set.files.map(({ map }) => map);
  const only = buildDataSet(maps.filter(({ path }) => fileRegexp.test(path)));
  if (only.files.length > 0) return only;
  throw new Failure('no-matching-file', { path: dumpJson, filter: `--file-regexp ${fileRegexp.source}` });
}

function requestOf(options: ReplayOptions, sensors: readonly string[]): ReplayRequest {
  const { timeFrom = null, timeTo = null, maxGap = null, limit = null, duration = null } = options;
  if (maxGap !== null && sensors.length > 1) {
    // Each sensor sees the gaps of its own share only.
    const reason = 'not with more than one sensor, which would lose their common time';
    throw new Failure('setting-invalid', { setting: '--max-gap', reason, command: 'replay' });
  }
  return {
    sensors,
    rule: options.assign ? { by: 'pattern', patterns: options.assign } : { by: options.assignBy },
    speed: speedOf(options),
    loops: options.loopInfinite ? 0 : options.loopCount,
    window: { from: timeFrom, to: timeTo },
    pace: paceOf(options),
    loopDelay: options.loopDelay,
    maxGap,
    limit,
    duration,
    policies: {
      allowDefaultRouteInterface: options.allowDefaultRouteInterface,
      backwards: options.skipOoo ? 'skip' : 'send',
      oversize: options.skipMtu ? 'skip' : options.mtuPolicy,
    },
  };
}

function speedOf({
  timeModifier,
  timeScaleEnabled,
  timeScaleDuration,
}: ReplayOptions): ReplayRequest['speed'] {
  if (timeScaleDuration !== undefined) return { duration: timeScaleDuration };
  if (timeScaleEnabled) return { duration: DEFAULT_SCALE };
  return timeModifier ?? ONE;
}

function paceOf({ topspeed, waitDisable, pps, mbps }: ReplayOptions): Pace {
  if (topspeed || waitDisable) return { kind: 'top' };
  if (pps) return { kind: 'packets', perSecond: ratioText(pps) };
  if (mbps) return { kind: 'megabits', perSecond: ratioText(mbps) };
  return { kind: 'original' };
}

function ratioText({ numerator, denominator }: Rational): string {
  return `${String(numerator)}/${String(denominator)}`;
}

/** A move that one sensor's files do not need, another's may. */
function moveFiles(plans: readonly SensorPlan[], moves: readonly RootMove[]): SensorPlan[] {
  const files = moveRoots(
    plans.flatMap((plan) => plan.files),
    moves,
  );
  let start = 0;
  return plans.map((plan) => {
    const own = files.slice(start, start + plan.files.length);
    start += own.length;
    return { ...plan, files: own };
  });
}

function chooseSensors({ outInterface, sensors, redis, lead }: ReplayOptions): readonly string[] {
  const command = 'replay';
  if (lead < SHORTEST_LEAD) {
    const reason = `at least ${formatDuration(SHORTEST_LEAD)}, so that a cancel still reaches every sensor`;
    throw new Failure('setting-invalid', { setting: '--lead', reason, command });
  }
  if (sensors && outInterface !== undefined) {
    throw new Failure('setting-invalid', {
      setting: '--out-interface',
      reason: 'not together with --sensors',
      command,
    });
  }
  if (sensors) {
    if (redis === undefined)
      throw new Failure('setting-missing', { setting: '--redis', why: 'with --sensors', command });
    return sensors;
  }
  if (outInterface === undefined) {
    throw new Failure('setting-missing', {
      setting: '--out-interface or --sensors',
      why: 'to know where to play',
      command,
    });
  }
  return [LOCAL_SENSOR];
}

async function play(plans: readonly SensorPlan[], options: ReplayOptions, world: World): Promise<RunReport> {
  if (options.redis !== undefined) await checkReachable(options.redis);
  const privateRedis = options.redis === undefined ? await startPrivateRedis() : null;
  const redis = options.redis ?? privateRedis?.url ?? '';
  const agent =
    options.outInterface === undefined
      ? null
      : startLocal(
          world.program,
          [
            'replayer',
            '--redis',
            redis,
            '--sensor',
            LOCAL_SENSOR,
            '--interface',
            options.outInterface,
            ...s3Args(s3Options(options)),
            '--log-level',
            options.logLevel,
          ],
          { restart: false },
        );
  const channel = redisSensorChannel(redis, createLogger('replay', options.logLevel));
  const [first] = plans;
  const bar = replayProgressBar(world.stderr, first ? runDuration(first.timeline) : 0n);
  try {
    const running = replayRun(channel, {
      run: randomUUID(),
      plans,
      lead: options.lead,
      maxClockBound: options.maxClockBound,
      sensorTimeoutMs: Number(options.sensorTimeout / 1_000_000n),
      prepareTimeoutMs: Number(options.prepareTimeout / 1_000_000n),
      interrupted: world.interrupted,
      onChange: (state) => {
        bar.update(state);
      },
    });
    if (!agent) return await running;
    running.catch(() => undefined);
    const ended = agent.ended.then(() => {
      throw new Failure('agent-ended');
    });
    return await Promise.race([running, ended]);
  } finally {
    bar.stop();
    // A Redis that is gone must not keep the report back.
    await Promise.race([channel.close(), sleep(CLOSE_DEADLINE_MS)]);
    await agent?.close();
    await privateRedis?.close();
  }
}

function exitOf(report: RunReport, world: World): ExitCode {
  if (world.interrupted.aborted) return exitCode.interrupted;
  if (report.outcome === 'cancelled') return exitCode.failed;
  return report.verdict.holds ? exitCode.ok : exitCode.verdict;
}
