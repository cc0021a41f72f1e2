// The options that say what of a set is played, how fast and how often: those of a replay, and of what holds one
// against its plan.
import { Option, type Command } from 'commander';
import type { AssignmentRule } from '@capfleet/shared/dataset/assignment';
import { buildDataSet, type DataSet } from '@capfleet/shared/dataset/dataset';
import type { Pace, ReplayPolicies, ReplayRequest } from '@capfleet/shared/dataset/replay-plan';
import { ETHERNET_HEADER } from '@capfleet/shared/edit/headers';
import { Failure } from '@capfleet/shared/errors/failure';
import type { Nanos } from '@capfleet/shared/time/nanos';
import { ONE, type Rational } from '@capfleet/shared/time/rational';
import type { PathPattern } from '@capfleet/shared/source/path-pattern';
import { compileFilter } from '@capfleet/replayer/adapters/libpcap';
import { addEditOptions, editsOf, type EditOptions } from './edit-options.ts';
import {
  parseLoops,
  parseFrameBytes,
  parseMtu,
  parsePattern,
  parsePositive,
  parsePositiveSpan,
  parseRate,
  parseSpan,
  parseSpeed,
  parseTime,
} from './settings.ts';

/** As with GopherCap. */
const DEFAULT_SCALE: Nanos = 3_600_000_000_000n;

export interface ReplayOptions extends EditOptions {
  readonly fileRegexp?: PathPattern;
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
  readonly reorder?: Nanos;
  readonly mtuPolicy: ReplayPolicies['oversize'];
  /** Bytes of a whole frame; true: as the interface takes. */
  readonly skipMtu?: number | true;
  readonly mtu?: number;
  readonly outBpf?: string;
  readonly preload?: number;
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

export function addReplayOptions(command: Command): Command {
  command
    .addOption(
      new Option('--file-regexp <regexp>', 'play only files whose path matches').argParser(parsePattern),
    )
    .addOption(
      new Option(
        '--time-from <time>',
        'play from this packet time on, such as 2026-11-24T09:00:00+01:00; without a zone it is UTC',
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
    .addOption(
      pace(
        '--pps <rate>',
        'packets per second of each sensor, with --assign-by flow of all together; whatever the stamps',
        'pps',
      ).argParser(parseRate),
    )
    .addOption(pace('--mbps <rate>', 'Mbit of frames per second, likewise', 'mbps').argParser(parseRate))
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
    .addOption(
      new Option('--loop-infinite', 'play without end, until Ctrl-C').default(false).conflicts('loopCount'),
    )
    .addOption(
      new Option('--loop-delay <duration>', 'wait between two loops').argParser(parseSpan).default(0n, '0s'),
    )
    .addOption(
      new Option(
        '--limit <packets>',
        'end after so many packets of each sensor; with --assign-by flow, of the set',
      ).argParser(parsePositive),
    )
    .addOption(
      new Option('--duration <duration>', 'end after so much time; what is sent at once is due at no time')
        .argParser(parsePositiveSpan)
        .conflicts(['topspeed', 'waitDisable']),
    )
    .addOption(
      new Option(
        '--reorder [duration]',
        'put in order what runs backwards in its file by up to this much, 1s where none is given',
      )
        .argParser(parsePositiveSpan)
        .preset('1s'),
    )
    .option('--skip-ooo', 'leave out packets whose stamp runs backwards in their file', false)
    .addOption(
      new Option(
        '--mtu-policy <policy>',
        'what becomes of frames larger than the interface takes; fail refuses the run',
      )
        .choices(['fail', 'skip', 'truncate', 'segment'])
        .default('fail'),
    )
    .addOption(
      new Option('--skip-mtu [bytes]', 'as --mtu-policy skip; with a number, of frames that have more bytes')
        .argParser(parseFrameBytes)
        .conflicts('mtuPolicy'),
    )
    .addOption(
      new Option(
        '--mtu <bytes>',
        'hold frames against this MTU where the interface has none or more',
      ).argParser(parseMtu),
    )
    .option('--out-bpf <filter>', 'send only frames that match, in the syntax of tcpdump; needs libpcap');
  return addEditOptions(command).option(
    '--unique-ip',
    'other IP addresses in each loop, so that each makes flows of its own',
    false,
  );
}

/**
 * The files that are asked for, as a set of their own.
 * @param path names the set in errors
 * @throws Failure `no-matching-file`
 */
export function onlyFiles(set: DataSet, { fileRegexp }: ReplayOptions, path: string): DataSet {
  if (!fileRegexp) return set;
  const maps = set.files.map(({ map }) => map);
  const only = buildDataSet(maps.filter(({ path }) => fileRegexp.test(path)));
  if (only.files.length > 0) return only;
  throw new Failure('no-matching-file', { path, filter: `--file-regexp ${fileRegexp.source}` });
}

/** @throws Failure `setting-invalid`, `bpf-invalid`, `libpcap-missing` */
export function requestOf(
  options: ReplayOptions,
  sensors: readonly string[],
  rule: AssignmentRule,
  allowDefaultRouteInterface: boolean,
): ReplayRequest {
  const { timeFrom = null, timeTo = null, maxGap = null, limit = null, duration = null } = options;
  if (maxGap !== null && sensors.length > 1 && rule.by !== 'flow') {
    // Each sensor sees the gaps of its own files only.
    const reason =
      'not with more than one sensor, which would lose their common time; but with --assign-by flow';
    throw new Failure('setting-invalid', { setting: '--max-gap', reason, command: 'replay' });
  }
  return {
    sensors,
    rule,
    speed: speedOf(options),
    loops: options.loopInfinite ? 0 : options.loopCount,
    window: { from: timeFrom, to: timeTo },
    pace: paceOf(options),
    loopDelay: options.loopDelay,
    maxGap,
    limit,
    duration,
    edits: editsOf(options),
    policies: {
      allowDefaultRouteInterface,
      backwards: options.skipOoo ? 'skip' : 'send',
      preload: options.preload ?? null,
      reorder: options.reorder === undefined ? null : String(options.reorder),
      oversize: options.skipMtu === undefined ? options.mtuPolicy : 'skip',
      mtu: mtuOf(options),
    },
    filter: options.outBpf === undefined ? null : compileFilter(options.outBpf),
  };
}

function mtuOf({ mtu, skipMtu }: ReplayOptions): number | null {
  if (typeof skipMtu !== 'number') return mtu ?? null;
  if (mtu === undefined) return skipMtu - ETHERNET_HEADER;
  const reason = 'with a number it says what --mtu says';
  throw new Failure('setting-invalid', { setting: '--skip-mtu', reason, command: 'replay' });
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
