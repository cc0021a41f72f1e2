// capfleet replay: plays a mapped data set, from this host or from many sensors at one instant, and reports.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { redisRunWorld } from '@capfleet/coordinator/adapters/redis-run-world';
import { replayRun } from '@capfleet/coordinator/usecases/replay-run';
import { SHORTEST_LEAD, SHORTEST_ORPHAN_TIMEOUT } from '@capfleet/shared/contract/api';
import { clockWishes, type ClockWish } from '@capfleet/shared/contract/reference-clock';
import type { RunReport } from '@capfleet/shared/contract/report';
import { runDuration, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { planDocument } from '@capfleet/shared/dataset/plan-file';
import { moveRoots, type RootMove } from '@capfleet/shared/dataset/roots';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import { createLogger } from '@capfleet/shared/log/logger';
import { checkReachable } from '@capfleet/shared/redis/connect';
import type { Source } from '@capfleet/shared/source/source';
import { sources } from '@capfleet/shared/source/sources';
import { formatDuration, formatInstant } from '@capfleet/shared/time/nanos';
import { hostInterfaces } from '@capfleet/replayer/adapters/host-interfaces';
import { interfaceOf, linkMtu, parseLink } from '@capfleet/replayer/link';
import { loadNative } from '@capfleet/replayer/native/binding';
import {
  addFarEndOptions,
  captureFarEnds,
  checkFarEnds,
  checkFilesHere,
  closeFarEnds,
  compareFarEnds,
  type FarEndOptions,
  type VerifiedRun,
} from '../far-ends.ts';
import { checkKeeps } from '../keep-inputs.ts';
import { coordinatorClient } from '../coordinator-client.ts';
import { followRun } from '../followed-run.ts';
import { startLocal, type LocalService } from '../local/children.ts';
import { startPrivateRedis } from '../local/private-redis.ts';
import { loadPlan } from '../plan-text.ts';
import { addPacingOptions, pacingArgs, pacingOptions, type PacingCommandOptions } from '../pacing-options.ts';
import { addSetOptions, chosenPlans, LOCAL_SENSOR, type SetOptions } from '../set-options.ts';
import {
  addS3Options,
  coordinatorOption,
  jsonOption,
  logLevelOption,
  parseInterface,
  parsePath,
  parsePositive,
  parsePositiveSpan,
  parseRoots,
  parseTime,
  redisOption,
  s3Args,
  s3Options,
  tokenFileOption,
  type S3CommandOptions,
} from '../settings.ts';
import { replayProgressBar, writeProgressBar, type ProgressBar } from '../show/progress.ts';
import { writePlots } from '../show/plots.ts';
import { showFailure } from '../show/failure.ts';
import { showReport } from '../show/report.ts';
import { statsLines } from '../show/stats.ts';
import { printable } from '../show/text.ts';
import type { RunProgress } from '../show/totals.ts';
import { showWritten, writtenJson } from '../show/written.ts';
import { tokenOf } from '../token.ts';
import type { CommonOptions, World } from '../world.ts';
import { writeReplay } from '../write-replay.ts';

interface CommandOptions
  extends CommonOptions, S3CommandOptions, SetOptions, PacingCommandOptions, FarEndOptions {
  readonly plan?: string;
  readonly outInterface?: string;
  readonly write?: string;
  readonly stats?: number;
  readonly config?: string;
  readonly root?: readonly RootMove[];
  readonly redis?: string;
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly lead: bigint;
  readonly startAt?: bigint;
  readonly clock: ClockWish;
  readonly maxClockBound: bigint;
  readonly sensorTimeout: bigint;
  readonly prepareTimeout: bigint;
  readonly whenBusy: 'wait' | 'refuse';
  readonly orphanTimeout?: bigint;
  readonly rejoin?: bigint;
}

const examples = `Examples:
  capfleet replay --dump-json meta.json --out-interface veth0
  capfleet replay --dump-json meta.json --out-interface veth0 --time-modifier 2.5 --loop-count 3
  capfleet replay --dump-json meta.json --write out.pcap --time-modifier 2.5
  capfleet replay --dump-json s3://captures/2026/map.json --out-interface veth0 --s3-endpoint https://s3.example.org
  capfleet replay --dump-json meta.json --out-interface eth1 --verify-interface eth2 --verify-plots plots
  capfleet replay --plan plan.yaml --redis redis://queue:6379
  capfleet replay --dump-json meta.json --sensors a,b --redis redis://queue:6379
  CAPFLEET_TOKEN=… capfleet replay --dump-json meta.json --sensors a,b --coordinator http://queue:8470
      with \`capfleet replayer --sensor a --interface IF --redis redis://queue:6379\` on each sensor's host

SIGUSR1 pauses a replay from this host, SIGCONT lets it go on.

Exit codes: 0 played and the verdict holds, 4 played but it does not, 1 not played, 130 stopped by Ctrl-C.
`;

const CLOSE_DEADLINE_MS = 1000;

/** A plan of many files passes through in many forms, once: V8 would take 100 MB of room for that. */
const REPLAYER_HEAP = ['--max-semi-space-size=2', '--heap-growing-percent=20'];

export function replayCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = addSetOptions(
    new Command('replay').description(
      'play a mapped data set with its original timing, and report how well that went',
    ),
    'play from these sensors, comma-separated',
  );
  const planned = command.options.map((option) => option.attributeName());
  command
    .addOption(
      new Option('--plan <file>', 'play what `capfleet plan` wrote; its options are in it')
        .argParser(parsePath)
        .conflicts(planned),
    )
    .addOption(
      new Option(
        '--out-interface <if>',
        'play from this host: into eth1, af_xdp:eth1 (fastest), pcap:eth1, null or file:PATH',
      ).argParser(parseInterface),
    )
    .addOption(
      new Option(
        '--write <file>',
        'send nothing: write a pcap of what would go out, stamped with its due times',
      )
        .argParser(parsePath)
        .conflicts(['outInterface', 'sensors', 'redis', 'assign', 'preload', 'stats'])
        .conflicts(['verifyInterface', 'spin', 'realtime', 'cpu', 'txStamps']),
    )
    .addOption(
      new Option(
        '--root <old=new>',
        'where the files lie that were mapped below old: a folder or s3://…; repeatable',
      ).argParser(parseRoots),
    )
    .addOption(
      new Option('--stats <seconds>', 'a line of statistics on stderr every so many seconds').argParser(
        parsePositive,
      ),
    )
    .addOption(redisOption())
    .addOption(coordinatorOption().conflicts(['outInterface', 'write']))
    .addOption(tokenFileOption())
    .addOption(span('--lead <duration>', 'from the commit to the start', 1_000_000_000n, '1s'))
    .addOption(
      new Option(
        '--start-at <time>',
        'start at this instant of the reference clock, such as 2026-11-24T09:00:00+01:00; without a zone it is UTC',
      ).argParser(parseTime),
    )
    .addOption(
      new Option(
        '--clock <which>',
        "the reference clock: Redis', or the sensors' own system clocks where they are disciplined and agree",
      )
        .choices(clockWishes)
        .default('auto'),
    )
    .addOption(span('--max-clock-bound <duration>', 'worst clock a sensor may have', 5_000_000n, '5ms'))
    .addOption(
      span('--sensor-timeout <duration>', 'how long to wait for sensors to register', 10_000_000_000n, '10s'),
    )
    .addOption(span('--prepare-timeout <duration>', 'how long sensors may prepare', 60_000_000_000n, '60s'))
    .addOption(
      new Option('--when-busy <policy>', 'a sensor that another run has: wait for its end, or refuse')
        .choices(['refuse', 'wait'])
        .default('refuse'),
    )
    .addOption(
      new Option(
        '--orphan-timeout <duration>',
        'sensors stop when no coordinator was there for so long; else they play on',
      )
        .argParser(parseOrphanTimeout)
        .conflicts('outInterface'),
    )
    .addOption(
      new Option(
        '--rejoin [duration]',
        'an agent that is lost may come back within this time, and joins where the others are; 60s where none is given',
      )
        .argParser(parsePositiveSpan)
        .preset('60s')
        .conflicts('outInterface'),
    );
  command.configureOutput({
    outputError(text, write) {
      write(
        isOfPlan(text) ? `${text.trimEnd()}: it belongs into the plan, give it to \`capfleet plan\`\n` : text,
      );
    },
  });
  addPacingOptions(command);
  addFarEndOptions(command);
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => replay(options, world)));
}

/** What commander says of an option that is in the plan already. */
function isOfPlan(text: string): boolean {
  return text.includes("'--plan <file>'") && text.includes('cannot be used with');
}

function span(flags: string, meaning: string, value: bigint, text: string): Option {
  return new Option(flags, meaning).argParser(parsePositiveSpan).default(value, text);
}

function parseOrphanTimeout(text: string): bigint {
  const span = parsePositiveSpan(text);
  if (span >= SHORTEST_ORPHAN_TIMEOUT) return span;
  throw new InvalidArgumentError(`it must be at least ${formatDuration(SHORTEST_ORPHAN_TIMEOUT)}.`);
}

async function replay(options: CommandOptions, world: World): Promise<ExitCode> {
  checkPlace(options);
  const source = sources(s3Options(options));
  const plans =
    options.plan === undefined
      ? await chosenPlans(options, source)
      : await keptPlans(options.plan, options, source);
  await checkKeepsInputs(options);
  const moved = moveFiles(plans, options.root ?? []);
  const [first] = moved;
  if (options.write !== undefined && first) return write(options.write, first, options, world);
  checkFarEnds(options, plans, options.outInterface);
  const isLocal = options.outInterface !== undefined;
  if (options.verifyInterface && !isLocal) await checkFilesHere(plans, source, world.interrupted);
  const captures = await captureFarEnds(options.verifyInterface ?? []);
  try {
    const played = await play(moved, options, world);
    if (captures.length === 0) return tell(played, options, world);
    const { report, series } =
      played.outcome === 'cancelled'
        ? { report: played, series: noSeries }
        : await compareFarEnds(played, {
            // The sensors' --root is about the sensors' hosts.
            plans: isLocal ? moved : plans,
            captures,
            source,
            mtu: await mtuOf(options.outInterface),
            oneClock: isLocal && options.redis === undefined,
            signal: world.interrupted,
          });
    if (!report.farEnds) world.stderr.write('what the far end received was not compared\n');
    return tell(report, options, world, await drawFarEnds(options, series));
  } finally {
    await closeFarEnds(captures);
  }
}

const noSeries: VerifiedRun['series'] = new Map();

/** Of several sensors each has a folder. @returns why they could not be drawn; null where they are, or need not be */
async function drawFarEnds(
  { verifyPlots: dir, plan, dumpJson }: CommandOptions,
  series: VerifiedRun['series'],
): Promise<Failure | null> {
  if (dir === undefined) return null;
  const played = plan ?? dumpJson;
  for (const [sensor, each] of series) {
    const failure =
      series.size === 1
        ? await writePlots(dir, played, each)
        : await writePlots(join(dir, sensor), `${played}, ${sensor}`, each);
    if (failure) return failure;
  }
  return null;
}

/** @param unplotted why there are no plots; null where nothing is amiss */
function tell(
  report: RunReport,
  { json }: CommandOptions,
  { stdout, stderr, interrupted }: World,
  unplotted: Failure | null = null,
): ExitCode {
  const document = unplotted ? { ...report, error: unplotted.toRecord() } : report;
  stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : showReport(report));
  if (unplotted) stderr.write(showFailure(unplotted));
  if (interrupted.aborted) return exitCode.interrupted;
  if (report.outcome === 'cancelled') return exitCode.failed;
  if (unplotted) return unplotted.exit;
  return report.verdict.holds ? exitCode.ok : exitCode.verdict;
}

/** Null where any frame goes, or nobody here knows. */
async function mtuOf(outInterface: string | undefined): Promise<number | null> {
  const native = loadNative();
  const link = outInterface === undefined ? null : parseLink(outInterface);
  const name = link && interfaceOf(link);
  if (!link || name === null || !native) return null;
  const state = await hostInterfaces(native).state(name);
  return state ? linkMtu(link, state.mtu) : null;
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

/** @throws Failure where it is not said where to play, or said in a way that does not fit */
function checkPlace(options: CommandOptions): void {
  const { outInterface, sensors, plan, redis, coordinator, lead, write } = options;
  const command = 'replay';
  if (lead < SHORTEST_LEAD) {
    const reason = `at least ${formatDuration(SHORTEST_LEAD)}, so that a cancel still reaches every sensor`;
    throw new Failure('setting-invalid', { setting: '--lead', reason, command });
  }
  if (outInterface !== undefined || write !== undefined) return;
  if (sensors === undefined && plan === undefined) {
    throw new Failure('setting-missing', {
      setting: '--out-interface, --sensors or --write',
      why: 'to know where to play',
      command,
    });
  }
  const elsewhere = sensors ? '--sensors' : '--plan';
  if (redis === undefined && coordinator === undefined) {
    const why = sensors ? 'with --sensors' : 'with --plan, or else --out-interface';
    throw new Failure('setting-missing', { setting: '--redis or --coordinator', why, command });
  }
  const [pacing] = pacingArgs(pacingOptions(options));
  if (pacing !== undefined) {
    const reason = `not with ${elsewhere}: give it to \`capfleet replayer\` on each sensor's host`;
    throw new Failure('setting-invalid', { setting: pacing, reason, command });
  }
}

/** From this host, a plan for one sensor is played, whatever it is called. */
async function keptPlans(
  path: string,
  { outInterface, write }: CommandOptions,
  source: Source,
): Promise<SensorPlan[]> {
  const plans = await loadPlan(path, source);
  if (outInterface === undefined && write === undefined) return plans;
  const [first] = plans;
  if (first && plans.length === 1) return [{ ...first, sensor: LOCAL_SENSOR }];
  throw new Failure('plan-sensors', {
    path,
    count: plans.length,
    setting: write === undefined ? '--out-interface' : '--write',
    sensors: plans.map(({ sensor }) => sensor).join(', '),
  });
}

async function checkKeepsInputs(options: CommandOptions): Promise<void> {
  const { write, outInterface, dumpJson, plan, config } = options;
  const link = outInterface === undefined ? null : parseLink(outInterface);
  const path = write ?? (link?.kind === 'file' ? link.path : undefined);
  if (path === undefined) return;
  const setting = write === undefined ? '--out-interface' : '--write';
  const inputs = { 'the mapping': dumpJson, 'the plan': plan, 'the file of the options': config };
  await checkKeeps('replay', { setting, path }, inputs);
}

/** Nothing is started for it: no Redis, no agent. */
async function write(
  path: string,
  plan: SensorPlan,
  options: CommandOptions,
  world: World,
): Promise<ExitCode> {
  const { timeline, files } = plan;
  const packets = files.reduce((sum, file) => sum + file.packets, 0) * Math.max(1, timeline.loops);
  const bar = writeProgressBar(world.stderr, timeline.limit ?? packets);
  const source = sources(s3Options(options));
  const written = await writeReplay(path, plan, source, world.interrupted, (counts) => {
    bar.update(counts.read);
  }).finally(() => {
    bar.stop();
  });
  world.stdout.write(options.json ? writtenJson(written) : showWritten(written));
  for (const { path: file, message } of written.errors)
    world.stderr.write(`${printable(file)}: ${printable(message)}\n`);
  return written.errors.length === 0 ? exitCode.ok : exitCode.partial;
}

async function play(plans: readonly SensorPlan[], options: CommandOptions, world: World): Promise<RunReport> {
  if (options.coordinator !== undefined) return playThrough(options.coordinator, plans, options, world);
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
            '--sensor',
            LOCAL_SENSOR,
            '--interface',
            options.outInterface,
            ...s3Args(s3Options(options)),
            ...pacingArgs(pacingOptions(options)),
            // The plan decides; over a Redis of others, only for a plan that asks for it.
            ...(privateRedis || plans.some(({ policies }) => policies.allowDefaultRouteInterface)
              ? ['--allow-default-route-interface']
              : []),
            '--log-level',
            options.logLevel,
          ],
          { restart: false, node: REPLAYER_HEAP, env: { ...world.inherited, CAPFLEET_REDIS: redis } },
        );
  world.onPause((isPause) => {
    followPause(isPause, agent, world);
  });
  const runs = redisRunWorld(redis, createLogger('replay', options.logLevel));
  const bar = progressOf(plans, options, world);
  try {
    const running = replayRun(runs, {
      run: randomUUID(),
      plans,
      lead: options.lead,
      startAt: options.startAt ?? null,
      clock: options.clock,
      maxClockBound: options.maxClockBound,
      sensorTimeoutMs: Number(options.sensorTimeout / 1_000_000n),
      prepareTimeoutMs: Number(options.prepareTimeout / 1_000_000n),
      whenBusy: options.whenBusy,
      orphanTimeoutMs: milliseconds(options.orphanTimeout),
      rejoinMs: milliseconds(options.rejoin),
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
    await Promise.race([runs.close(), sleep(CLOSE_DEADLINE_MS)]);
    await agent?.close();
    await privateRedis?.close();
  }
}

/** A coordinator carries it through; it goes on when this command does not. */
async function playThrough(
  url: string,
  plans: readonly SensorPlan[],
  options: CommandOptions,
  world: World,
): Promise<RunReport> {
  const client = coordinatorClient(url, await tokenOf(options, world));
  const { startAt, orphanTimeout, rejoin } = options;
  const run = await client.createRun(planDocument(plans, options.dumpJson), {
    lead: nanoseconds(options.lead),
    startAt: startAt === undefined ? null : formatInstant(startAt),
    clock: options.clock,
    maxClockBound: nanoseconds(options.maxClockBound),
    sensorTimeout: nanoseconds(options.sensorTimeout),
    prepareTimeout: nanoseconds(options.prepareTimeout),
    whenBusy: options.whenBusy,
    orphanTimeout: orphanTimeout === undefined ? null : nanoseconds(orphanTimeout),
    rejoin: rejoin === undefined ? null : nanoseconds(rejoin),
  });
  world.onPause((isPause) => {
    followPause(isPause, null, world);
  });
  const bar = progressOf(plans, options, world);
  try {
    return await followRun(client, run, world, (view) => {
      bar.update(view);
    });
  } finally {
    bar.stop();
  }
}

function progressOf(
  [first]: readonly SensorPlan[],
  { stats }: CommandOptions,
  { stderr }: World,
): ProgressBar<RunProgress> {
  return stats === undefined
    ? replayProgressBar(stderr, first ? runDuration(first.timeline) : 0n)
    : statsLines(stderr, stats);
}

function nanoseconds(span: bigint): string {
  return `${String(span)}ns`;
}

function milliseconds(span: bigint | undefined): number | null {
  return span === undefined ? null : Number(span / 1_000_000n);
}

/** SIGUSR1 and SIGCONT, as with tcpreplay. */
function followPause(isPause: boolean, agent: LocalService | null, { stderr }: World): void {
  if (!agent) {
    // A word would reach the sensors at different times, and tear them apart.
    if (isPause)
      stderr.write('capfleet: not paused, which only a replay from this host can be; it goes on\n');
    return;
  }
  agent.tell(isPause ? 'pause' : 'resume');
  if (isPause) stderr.write('capfleet: paused; SIGCONT lets it go on\n');
}
