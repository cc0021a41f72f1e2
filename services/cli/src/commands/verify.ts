// capfleet verify: how near a replay, by Capfleet or any other tool, came to what it was to send.
import { Command, Option } from 'commander';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import { isEndless, planReplay, type SensorPlan } from '@capfleet/shared/dataset/replay-plan';
import { exitCode, type ExitCode } from '@capfleet/shared/errors/exit-codes';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Source } from '@capfleet/shared/source/source';
import { sources } from '@capfleet/shared/source/sources';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { judge } from '@capfleet/shared/verify/thresholds';
import { loadDump } from '../load-dump.ts';
import { writePlots } from '../show/plots.ts';
import { addReplayOptions, onlyFiles, requestOf, type ReplayOptions } from '../replay-options.ts';
import { addSensorOptions, ruleOf, type SensorOptions } from '../sensor-options.ts';
import {
  addS3Options,
  jsonOption,
  logLevelOption,
  parsePath,
  parseTime,
  s3Options,
  type S3CommandOptions,
} from '../settings.ts';
import { showFailure } from '../show/failure.ts';
import { showVerification } from '../show/verification.ts';
import { addLimitOptions, limitsOf, type LimitOptions } from '../verify-limits.ts';
import { mapCaptures, verifyReplay } from '../verify-replay.ts';
import type { CommonOptions, World } from '../world.ts';

interface CommandOptions extends CommonOptions, S3CommandOptions, ReplayOptions, SensorOptions, LimitOptions {
  readonly source: readonly string[];
  readonly received: readonly string[];
  readonly sensor?: string;
  readonly startedAt?: Nanos;
  readonly plots?: string;
}

const examples = `Examples:
  capfleet verify --source meta.json --received far-end.pcap
  capfleet verify --source a.pcap b.pcap --received s3://captures/far-end.pcap --time-modifier 2
  capfleet verify --source meta.json --sensors a,b --sensor a --received far-end-of-a.pcap --pps 1000
  capfleet verify --source meta.json --received far-end.pcap --max-deviation-p99 1ms --max-drift 5ppm --plots DIR

Packets are known again by their bytes. Give the options that the replay was given, those that edit frames included;
what is changed by others on the way does not match. Without other limits, every packet must have arrived once and in
order.

Exit codes: 0 all limits are kept; 4 not so, the result names each that is not; 1 it could not be found out.
`;

export function verifyCommand(run: (action: (world: World) => Promise<ExitCode>) => Promise<void>): Command {
  const command = new Command('verify')
    .description('hold what a far end captured of a replay, by whatever tool, against what was to be sent')
    .addOption(
      new Option(
        '--source <files...>',
        'a mapping written by `capfleet map` (or GopherCap), or the captures that were played',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--received <captures...>',
        'captures of the far ends, by one clock; also s3://BUCKET/KEY',
      ).makeOptionMandatory(),
    );
  addSensorOptions(command, 'the sensors that played, comma-separated').addOption(
    new Option('--sensor <name>', 'the one of them whose far end was captured').argParser(parsePath),
  );
  addReplayOptions(command)
    .addOption(
      new Option(
        '--started-at <time>',
        "the run's start, where the far end shares the senders' clock: lateness is measured, too",
      ).argParser(parseTime),
    )
    .addOption(
      new Option('--plots <dir>', 'write deviation.svg, gap-error.svg and packet-rate.svg').argParser(
        parsePath,
      ),
    );
  addLimitOptions(command);
  return addS3Options(command)
    .addOption(jsonOption())
    .addOption(logLevelOption('warn'))
    .addHelpText('before', examples)
    .action((options: CommandOptions) => run((world) => verify(options, world)));
}

async function verify(options: CommandOptions, world: World): Promise<ExitCode> {
  const [path = ''] = options.source;
  const source = sources(s3Options(options));
  const set = onlyFiles(await loadSet(options, source), options, path);
  const sensors = sensorsOf(options);
  const request = requestOf(options, sensors, ruleOf(options), false);
  if (isEndless(request)) {
    const reason = 'a plan without end cannot be held against anything';
    throw new Failure('setting-invalid', { setting: '--loop-count', reason, command: 'verify' });
  }
  if (request.policies.oversize !== 'fail' && request.policies.mtu === null) {
    const why = 'with --mtu-policy: what the interface takes that was played into';
    throw new Failure('setting-missing', { setting: '--mtu', why, command: 'verify' });
  }
  const plan = planOf(planReplay(set, request, path), options);
  const { comparison, series, reasons, received, counts, errors } = await verifyReplay({
    plan,
    frames: null,
    source,
    received: options.received,
    mtu: null,
    startedAt: options.startedAt ?? null,
    signal: world.interrupted,
  });
  const findings = judge(comparison, limitsOf(options), null);
  if (comparison.sent === 0) {
    const text = 'the plan has no packet that anything could be held against';
    findings.push({ check: 'plan', sensor: null, holds: false, text });
  }
  for (const { path: file, message } of errors)
    findings.push({ check: 'plan', sensor: null, holds: false, text: `${file}: ${message}` });
  const unplotted = options.plots === undefined ? null : await writePlots(options.plots, path, series);
  const verdict = { holds: findings.every(({ holds }) => holds), findings };
  if (options.json) {
    const planned = { ...counts, shortened: String(counts.shortened), errors };
    const error = unplotted ? { error: unplotted.toRecord() } : {};
    const document = { ...comparison, planned, farEnd: received, reasons, verdict, ...error };
    world.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else world.stdout.write(showVerification({ comparison, received, reasons, findings }));
  if (unplotted) {
    world.stderr.write(showFailure(unplotted));
    return unplotted.exit;
  }
  return verdict.holds ? exitCode.ok : exitCode.verdict;
}

/** Who does not name them had one, or lets each of several play its share at its times. */
function sensorsOf({ sensors, sensor }: CommandOptions): readonly string[] {
  if (sensor === undefined) return sensors ?? ['all'];
  if (!sensors) {
    const why = 'with --sensor: all that the set was shared by';
    throw new Failure('setting-missing', { setting: '--sensors', why, command: 'verify' });
  }
  if (sensors.includes(sensor)) return sensors;
  const reason = `it is none of --sensors: ${sensors.join(', ')}`;
  throw new Failure('setting-invalid', { setting: '--sensor', reason, command: 'verify' });
}

function planOf(plans: readonly SensorPlan[], { sensor }: CommandOptions): SensorPlan {
  const plan = plans.length === 1 ? plans[0] : plans.find((each) => each.sensor === sensor);
  if (plan) return plan;
  const why = 'with --sensors: the one whose far end was captured';
  throw new Failure('setting-missing', { setting: '--sensor', why, command: 'verify' });
}

/** One file that is no capture is a mapping. */
async function loadSet(options: CommandOptions, source: Source): Promise<DataSet> {
  const [path = '', ...more] = options.source;
  if (more.length === 0) {
    try {
      return await loadDump(path, source);
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'dump-invalid') throw thrown;
    }
  }
  return buildDataSet(await mapCaptures(options.source, source));
}
